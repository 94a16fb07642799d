"""Unpacking vendor.zip once: many processes at once, a kill in the middle, a folder that cannot be written."""

import os
import signal
import subprocess
import sys
import time

import pytest

from minipaas_lib import bundle

BODY = b"""
import sys

def main():
    from minipaas_lib import errors, vendor
    try:
        vendor.activate()
    except errors.Unavailable as error:
        print(error.message)
        return 1
    import heavy
    print(heavy.__file__)
    return 0

def program():
    sys.exit(main())
"""


@pytest.fixture
def zipapp(tmp_path):
    def make(modules=20):
        ours = [f"minipaas_lib/{name}.py" for name in ("errors", "folders", "paths", "vendor", "modules", "sources")]
        folder = os.path.dirname(os.path.dirname(bundle.__file__))
        tree = {name: bundle._read(os.path.join(folder, name)) for name in ours}
        tree["minipaas_lib/__init__.py"] = (b'__version__ = "1"\n', 0o644)
        tree["minipaas_lib/main.py"] = (BODY, 0o644)
        tree["pyproject.toml"] = (b"[project]\ndependencies = []\n", 0o644)
        heavy = {f"heavy/m{n}.py": (b"x = 1\n" * 200, 0o644) for n in range(modules)}
        heavy["heavy/__init__.py"] = (b"", 0o644)
        out = str(tmp_path / f"m{modules}.pyz")
        bundle.write(out, bundle.assemble(tree, {}, heavy, ""))
        return out

    return make


def start(path, root):
    env = {"MINIPAAS_ROOT": str(root), "PATH": os.environ["PATH"]}
    return subprocess.Popen(
        [sys.executable, "-IS", path], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def versions(root):
    return [name for name in os.listdir(root / "runtime") if not name.startswith(".lock")]


def test_eight_processes_at_once(zipapp, tmp_path):
    path = zipapp(60)
    running = [start(path, tmp_path) for _ in range(8)]
    answers = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * 8, answers
    assert len({out for out, _ in answers}) == 1
    assert len(versions(tmp_path)) == 1
    folder = tmp_path / "runtime" / versions(tmp_path)[0]
    assert len(list((folder / "heavy" / "__pycache__").iterdir())) == 61


def test_killed_while_unpacking(zipapp, tmp_path):
    path = zipapp(1500)
    process = start(path, tmp_path)
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("runtime/.unpacking-*/heavy/m*.py")) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert versions(tmp_path)[0].startswith(".unpacking-")
    second = start(path, tmp_path)
    out, err = second.communicate()
    assert second.returncode == 0, err
    assert len(versions(tmp_path)) == 1 and not versions(tmp_path)[0].startswith(".")


def test_older_versions_go_but_one(zipapp, tmp_path):
    for modules in (1, 2, 3, 4):
        process = start(zipapp(modules), tmp_path)
        process.communicate()
        assert process.returncode == 0
    assert len(versions(tmp_path)) == 2


def test_unpacked_it_needs_no_writing_and_without_it_says_why(zipapp, tmp_path):
    path = zipapp()
    (tmp_path / "file").write_text("")
    process = start(path, tmp_path / "file")  # a root that cannot hold a folder, even for root
    out, _ = process.communicate()
    assert process.returncode == 1 and "cannot be unpacked" in out
    assert start(path, tmp_path).wait() == 0
    os.unlink(tmp_path / "runtime" / ".lock")
    assert start(path, tmp_path).wait() == 0
    assert not (tmp_path / "runtime" / ".lock").exists()


def test_a_checkout_needs_nothing(monkeypatch, tmp_path):
    from minipaas_lib import vendor

    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    before = list(sys.path)
    vendor.activate()
    assert sys.path == before and not os.listdir(tmp_path)

"""The zipapp: what is in it, and that it starts. Built from a made-up library folder; no network."""

import importlib.machinery
import importlib.util
import marshal
import os
import signal
import subprocess
import sys
import zipfile

import pytest

from minipaas_lib import bundle
from tests import kill_points

NATIVE_FILE = "gevent/core" + importlib.machinery.EXTENSION_SUFFIXES[0]
PYPROJECT = b'[project]\ndependencies = ["b>=2", "a>=1"]\n'


@pytest.fixture
def site(tmp_path):
    files = {
        "click/__init__.py": '"""doc"""\nname = "click"\n',
        "click/testing.py": "",
        "click/py.typed": "",
        "pluggy/__init__.py": "",
        "docker/__init__.py": "heavy = 1\n",
        "docker/tests/test_it.py": "",
        "docker/stub.pyi": "",
        "gevent/core.c": "",
        NATIVE_FILE: "x",
        "yaml/__init__.py": "",
        "yaml/_yaml" + importlib.machinery.EXTENSION_SUFFIXES[0]: "libyaml",
        "docker-7.2.0.dist-info/METADATA": "",
        "python_etcd-0.4.5.egg-info/PKG-INFO": "",
        "distutils-precedence.pth": "",
    }
    for name, text in files.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(tmp_path / "site")


SAYS_VERSION = """
def main():
    import minipaas_build, click
    print(minipaas_build.VERSION, click.name)
    return 3
"""
UPGRADES_ITSELF = """
def main():
    import os, sys
    os.unlink(sys.argv[1])
    open(sys.argv[1], "w").close()
    import click
    from minipaas_lib import paths
    return paths.source() != sys.argv[2]
"""
READS_ITSELF = """
def main():
    import click
    from minipaas_lib import paths
    print(paths.source(), __file__, paths.resource("nginx/a.j2").decode(), click.name, sep="\\n")
    return 0
"""
HERE = os.path.dirname(os.path.dirname(bundle.__file__))


def ours(body=SAYS_VERSION):
    return {
        "minipaas_lib/__init__.py": (b'__version__ = "9.9"\n', 0o644),
        "minipaas_lib/main.py": (body.encode() + b"def program():\n    raise SystemExit(main())\n", 0o644),
        "minipaas_lib/paths.py": bundle._read(os.path.join(HERE, "minipaas_lib/paths.py")),
        "minipaas_lib/modules.py": bundle._read(os.path.join(HERE, "minipaas_lib/modules.py")),
        "minipaas_lib/sources.py": bundle._read(os.path.join(HERE, "minipaas_lib/sources.py")),
        "install.sh": (b"#!/bin/sh\n", 0o755),
        "pyproject.toml": (PYPROJECT, 0o644),
    }


def assembled(site, **changes):
    light, heavy = bundle.library_tree(site)
    return bundle.assemble(**{"own": ours(), "light": light, "heavy": heavy, "index": "INDEX = 1\n", **changes})


def test_libraries_are_pruned_and_split(site):
    light, heavy = bundle.library_tree(site)
    assert set(light) == {"click/__init__.py", "pluggy/__init__.py"}
    assert set(heavy) == {"docker/__init__.py", NATIVE_FILE, "yaml/__init__.py", "versions.txt"}
    assert heavy["versions.txt"][0] == b"docker==7.2.0\npython_etcd==0.4.5\n"


def test_the_code_of_each_module_lies_where_the_index_says_and_all_is_stored(site, tmp_path):
    out = str(tmp_path / "m.pyz")
    bundle.write(out, assembled(site))
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        sources = bundle.unpack(archive.read("source.zip"))
        index = marshal.loads(archive.read("modules.index"))
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        assert [name for name in names if name.endswith(".py")] == ["__main__.py", "minipaas_sources.py"]
        assert [name for name in names if name.endswith(".pyc")] == ["__main__.pyc", "minipaas_modules.pyc"]
        assert not [name for name in names if "__pycache__" in name]
    assert {"minipaas_index", "minipaas_build", "click", "minipaas_lib", "minipaas_lib.main"} <= set(index)
    whole = (tmp_path / "m.pyz").read_bytes()
    for name in (name for name in sources if name.endswith(".py")):
        is_package = name.endswith("/__init__.py")
        found, begin, size = index.pop(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        code = marshal.loads(whole[begin : begin + size])
        assert (found, code.co_filename) == (is_package, name)
    assert index == {}


def test_what_zipimport_reads_is_compiled_with_unchecked_hash(site):
    tree = assembled(site)
    sources = {"__main__.pyc": tree["__main__.py"], "minipaas_modules.pyc": ours()["minipaas_lib/modules.py"]}
    for name, (source, _) in sources.items():
        head = tree[name][0][:16]
        assert head[:4] == importlib.util.MAGIC_NUMBER
        assert head[4:8] == b"\1\0\0\0"  # hash-based, not checked
        assert head[8:16] == importlib.util.source_hash(source)


def test_another_python_runs_the_sources(site, tmp_path):
    out = str(tmp_path / "m.pyz")
    tree = assembled(site, own={**ours(READS_ITSELF), "nginx/a.j2": (b"template", 0o644)})
    main = tree["__main__.py"][0].replace(sys.implementation.cache_tag.encode(), b"cpython-27")
    tree["__main__.py"] = (main, 0o644)
    for name in [name for name in tree if name.endswith(".pyc")]:
        tree[name] = (b"\0\0\r\n" + tree[name][0][4:], 0o644)  # a magic number that no Python has
    tree["modules"] = (bytes(len(tree["modules"][0])), 0o644)
    bundle.write(out, tree)
    os.symlink(out, tmp_path / "link")
    done = subprocess.run([sys.executable, "-IS", tmp_path / "link"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{out}\n{out}/minipaas_lib/main.py\ntemplate\nclick\n"), done.stderr


def test_it_runs_isolated_and_through_a_symlink(site, tmp_path):
    out = str(tmp_path / "m.pyz")
    bundle.write(out, assembled(site))
    assert os.access(out, os.X_OK)
    os.symlink(out, tmp_path / "link")
    for path in (out, tmp_path / "link"):
        done = subprocess.run([sys.executable, "-IS", path], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (3, "9.9 click\n"), done.stderr


TAKES_A_STEP = """
def main():
    from minipaas_lib.journal import journal
    journal.begin("blog", "an operation")
    with journal.step("blog", "a step"):
        print("in the step")
    return 0
"""
JOURNAL = b"""
import contextlib, os, signal
def begin(app, operation): pass
def step(app, what): return contextlib.nullcontext()
def die(): os.kill(os.getpid(), signal.SIGKILL)
"""


def test_only_a_program_with_kill_points_dies_where_a_file_says(site, tmp_path, monkeypatch):
    journal = {
        os.path.dirname(kill_points.JOURNAL) + "/__init__.py": (b"", 0o644),
        kill_points.JOURNAL: (JOURNAL, 0o644),
    }
    out, link = str(tmp_path / "m.pyz"), str(tmp_path / "link")
    bundle.write(out, assembled(site, own={**ours(TAKES_A_STEP), **journal}))
    os.symlink(out, link)
    faults = tmp_path / kill_points.FAULTS
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))

    def run(fault):
        faults.write_text(fault)
        done = subprocess.run([sys.executable, "-IS", "-u", link], capture_output=True, text=True)
        return done.returncode, done.stdout, faults.read_text()

    assert run("blog 1 before\n") == (0, "in the step\n", "blog 1 before\n")
    with kill_points.program(link):
        assert run("blog 1 before\nblog 1 after\n") == (-signal.SIGKILL, "", "blog 1 after\n")
        assert run("blog 1 after\n") == (-signal.SIGKILL, "in the step\n", "")
        assert run("blog 0 never\n") == (0, "in the step\n", "blog 0 never\n")
        assert bundle.marks(link) == bundle.marks(out)
    assert run("blog 1 before\n") == (0, "in the step\n", "blog 1 before\n")
    assert "blog 1 before a step\nblog 1 after a step\n" in (tmp_path / "faults.seen").read_text()


def test_an_upgrade_in_the_middle_of_a_run_does_not_mix_versions(site, tmp_path):
    tree = ours(UPGRADES_ITSELF)
    out, link = str(tmp_path / "m.pyz"), str(tmp_path / "link")
    bundle.write(out, assembled(site, own=tree))
    os.symlink(out, link)
    done = subprocess.run([sys.executable, "-IS", link, link, out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_equal_sources_give_the_same_build_and_any_change_another(site, tmp_path):
    def build(**changes):
        bundle.write(str(tmp_path / "m.pyz"), assembled(site, **changes))
        return bundle.marks(str(tmp_path / "m.pyz"))["BUILD"]

    first = build()
    assert build() == first
    assert build(index="INDEX = 2\n") != first
    assert build(heavy={"other.py": (b"", 0o644)}) != first
    assert build(own={**ours(), "docs/sample-app/x": (b"", 0o644)}) != first


def test_pack_is_deterministic_and_unpack_its_opposite():
    tree = {"b": (b"2", 0o755), "a/c": (b"1", 0o644)}
    assert bundle.pack(tree) == bundle.pack(dict(reversed(tree.items())))
    assert bundle.unpack(bundle.pack(tree)) == tree


def test_too_many_entries_are_refused(site):
    many = {f"plugins/p{n}/page.html": (b"", 0o644) for n in range(bundle.MOST_ENTRIES)}
    with pytest.raises(ValueError, match="entries"):
        assembled(site, own={**ours(), **many})


def test_a_zipapp_with_the_same_requirements_is_reused(site, tmp_path):
    out = str(tmp_path / "m.pyz")
    bundle.write(out, assembled(site))
    assert bundle.reusable(out, ours())
    changed = {**ours(), "pyproject.toml": (PYPROJECT.replace(b">=2", b">=3"), 0o644)}
    assert not bundle.reusable(out, changed)
    assert not bundle.reusable(str(tmp_path / "none"), ours())
    (tmp_path / "junk").write_bytes(b"junk")
    assert not bundle.reusable(str(tmp_path / "junk"), ours())
    assert bundle._reused(out, str(tmp_path)) == bundle.library_tree(site)


def test_native_parts_for_another_python_are_noticed():
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    assert bundle.native_fits({"gevent/a" + suffix: (b"", 0), "gevent/b.abi3.so": (b"", 0), "gevent/c.py": (b"", 0)})
    assert not bundle.native_fits({"greenlet/a.cpython-27-x86_64-linux-gnu.so": (b"", 0)})
    assert bundle.native_fits({"charset_normalizer/md.cpython-27-x86_64-linux-gnu.so": (b"", 0)})  # has a pure twin


def test_what_only_an_installation_needs_is_among_the_sources(site):
    tree = assembled(site, own={**ours(), "plugins/a/plugin.toml": (b"", 0o644), "plugins/a/hooks/x": (b"", 0o755)})
    sources = bundle.unpack(tree["source.zip"][0])
    assert {"install.sh", "pyproject.toml", "plugins/a/plugin.toml", "plugins/a/hooks/x"} <= set(sources)
    assert sources["install.sh"][1] == 0o755
    assert tree["plugins/a/hooks/x"][1] == 0o755
    assert not {"install.sh", "plugins/a/plugin.toml", "minipaas_lib/bundle.pyc"} & set(tree)


def test_a_folder_of_modules_becomes_a_package(tmp_path):
    (tmp_path / "plugins" / "apps").mkdir(parents=True)
    (tmp_path / "plugins" / "apps" / "commands.py").write_text("x = 1\n")
    assert {"plugins/__init__.py", "plugins/apps/__init__.py"} < set(bundle.source_tree(str(tmp_path)))


def test_this_checkout_fits():
    tree = bundle.source_tree(HERE)
    assert len(bundle.assemble(tree, {}, {}, "INDEX = 1")) < bundle.MOST_ENTRIES

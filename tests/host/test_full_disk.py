"""A full disk: one clear sentence, the site goes on, and nothing is lost once there is room again."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import wait_for, web

pytestmark = [pytest.mark.serial, pytest.mark.one_host]  # no other test may meet the full disk

STATE = Path("/var/lib/minipaas/state")
REPOSITORIES = Path("/var/lib/minipaas/repos")


@contextlib.contextmanager
def small_disk(folder: Path, size: str, beneath: Path):
    """A disk of that size in place of the folder, with a copy of what is in it. In the end all that changed is kept.

    beneath: an empty folder, where the folder itself can be reached meanwhile.
    """
    if subprocess.run(["mount", "--bind", folder, beneath], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        owner = folder.stat()
        subprocess.run(
            [
                "mount",
                "-t",
                "tmpfs",
                "-o",
                f"size={size},mode=700,uid={owner.st_uid},gid={owner.st_gid}",
                "tmpfs",
                folder,
            ],
            check=True,
        )
        try:
            subprocess.run(["cp", "-a", f"{beneath}/.", folder], check=True)
            yield
        finally:
            (folder / "filler").unlink(missing_ok=True)
            keep_changes(folder, beneath)
            wait_for(lambda: subprocess.run(["umount", folder], capture_output=True).returncode == 0, 20)
    finally:
        subprocess.run(["umount", beneath], check=True)


def keep_changes(changed: Path, original: Path) -> None:
    """Make `original` what `changed` is: nothing that others did on this host meanwhile gets lost."""
    subprocess.run(["cp", "-a", "--remove-destination", f"{changed}/.", original], check=True)
    for folder, folders, files in os.walk(original):
        twin = changed / Path(folder).relative_to(original)
        for name in [name for name in folders if not (twin / name).exists()]:
            shutil.rmtree(Path(folder, name))
            folders.remove(name)
        for name in files:
            if not (twin / name).exists():
                Path(folder, name).unlink()


def fill(folder: Path) -> None:
    """Take the last byte of the small disk."""
    with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def documents(app):
    return {path: path.read_bytes() for path in (STATE / "apps" / app).rglob("*") if path.is_file()}


def test_a_full_disk_of_the_state(host, app, other_app, repo, tmp_path):
    repo.push()
    host.ssh("config:set", app, "A=1")
    name = host.url_host(app)
    (tmp_path / "beneath").mkdir()
    with small_disk(STATE, "64m", tmp_path / "beneath"):
        before, branch = documents(app), repo.git("ls-remote", "paas").stdout
        fill(STATE)
        repo.commit(www___index__html="second")
        refused = {
            "config:set": host.ssh("config:set", app, "A=2", ok=False),
            "apps:create": host.ssh("apps:create", other_app, ok=False),
            "ps:restart": host.ssh("ps:restart", app, ok=False),
            "domains:add": host.ssh("domains:add", app, f"{app}.full.test", ok=False),
            "git push": repo.push(ok=False),
        }
        for words, done in refused.items():
            said = [line.removeprefix("remote: ") for line in done.stderr.splitlines()]
            assert done.returncode != 0 and any(line.startswith(" !     ") for line in said), words
            assert "no space left on device" in done.stderr and "df -h" in done.stderr, (words, done.stderr)
            assert "Traceback" not in done.stderr and "itself failed" not in done.stderr, (words, done.stderr)
        assert host.get(name) == (200, "hello from " + app), "the old site serves"
        assert json.loads(host.ssh("config:show", app, "--format", "json").stdout) == {"A": "1"}
        assert app in host.ssh("apps:list").stdout.split()
        assert {path: text for path, text in documents(app).items() if path in before} == before, "no document is torn"
        assert repo.git("ls-remote", "paas").stdout == branch
        (STATE / "filler").unlink()
        host.ssh("config:set", app, "A=2")
        repo.push()
        assert host.get(name) == (200, "second")
        assert "A=2" in host.ssh("enter", app, "web", "env").stdout.splitlines()
        listed = json.loads(host.ssh("releases", app, "--format", "json").stdout)
        assert len({release["v"] for release in listed}) == len(listed) and listed[0]["status"] == "live"
    assert host.get(name) == (200, "second") and host.ssh("config:get", app, "A").stdout == "2\n"
    wait_for(lambda: host.ssh("apps:locked", app, ok=False).returncode == 1, 10)


def test_a_full_disk_of_the_repository(host, app, repo, tmp_path):
    repo.push()
    name, folder = host.url_host(app), REPOSITORIES / f"{app}.git"
    (tmp_path / "beneath").mkdir()
    (repo.folder / "blob").write_bytes(os.urandom(6 << 20))
    repo.commit(**web("large"))
    with small_disk(folder, "3m", tmp_path / "beneath"):
        refused = repo.push(ok=False)
        assert refused.returncode != 0 and "No space left on device" in refused.stderr
        assert host.get(name) == (200, "hello from " + app)
        host.ssh("config:set", app, "A=1")
    repo.push()
    assert host.get(name) == (200, "large")

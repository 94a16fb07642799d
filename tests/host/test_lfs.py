"""Files that Git LFS keeps outside of git, with the real git-lfs as the client."""

import os
import shutil
from pathlib import Path

import pytest
from conftest import Repo

pytestmark = pytest.mark.skipif(not shutil.which("git-lfs"), reason="git-lfs is not installed here")
REPOSITORIES = Path("/var/lib/minipaas/repos")


@pytest.fixture
def pictures(repo):
    repo.git("lfs", "install", "--local")
    repo.write(**{"__gitattributes": "*.png filter=lfs diff=lfs merge=lfs -text\n"})
    return repo


def test_files_of_git_lfs_are_served_with_their_content(host, app, pictures, tmp_path):
    """From the very first push on, which makes the app; what never came is named."""
    picture = os.urandom(200_000).hex()
    pictures.commit(www___a__png=picture)
    assert pictures.git("show", "HEAD:www/a.png").stdout.startswith("version https://git-lfs.github.com/spec/v1")
    pushed = pictures.push()
    assert f"Created {app}" in pushed.stderr and "1 file from Git LFS" in pushed.stderr
    name = host.url_host(app)
    assert host.get(name, "/a.png") == (200, picture)
    clone = Repo(host, tmp_path / "clone", app)
    clone.git("lfs", "install", "--local")
    clone.git("fetch", "-q", "paas")
    clone.git("reset", "-q", "--hard", "paas/main")
    assert (clone.folder / "www/a.png").read_text() == picture
    os.environ["GIT_LFS_SKIP_PUSH"] = "1"
    try:
        pictures.commit(www___b__png="never sent")
        pushed = pictures.push()
    finally:
        del os.environ["GIT_LFS_SKIP_PUSH"]
    assert '1 file is a Git LFS pointer without their content on this host: "www/b.png"' in pushed.stderr
    assert host.get(name, "/b.png")[1].startswith("version https://git-lfs") and host.get(name, "/a.png") == (
        200,
        picture,
    )
    pictures.git("lfs", "push", "--all", "paas")
    host.ssh("ps:rebuild", app)
    assert host.get(name, "/b.png") == (200, "never sent")


def test_git_lfs_over_http_is_answered_with_a_sentence(host, app):
    host.ssh("apps:create", app)
    refused = host.ssh("git-lfs-authenticate", app, "upload", ok=False)
    assert refused.returncode == 2 and "Git LFS is served over ssh only" in refused.stderr

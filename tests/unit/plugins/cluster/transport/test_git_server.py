"""Commits for another head: over TLS, in which it shows a head's certificate, git reads one app's repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minipaas_lib import api
from plugins.cluster.head import certificate_authority
from plugins.cluster.transport import git_server

HOUSE = Path(__file__).parents[5]
SERVER = """
import gevent.monkey
gevent.monkey.patch_all()
import sys
sys.path.insert(0, sys.argv[1])
from plugins.cluster.transport import git_server, tls as handshake
tls = handshake.server_context(*sys.argv[2:5])
server = git_server.serve("127.0.0.1", lambda: tls, 0)
server.start()
print(server.server_port, flush=True)
server.serve_forever()
"""
CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
import asyncio
from plugins.cluster.transport import git_client, protocol, tls
protocol.HEAD_PORT = int(sys.argv[2])
keys = {part: open(path).read() for part, path in zip(("ca", "cert", "key"), sys.argv[4:])}
asyncio.run(git_client._join("127.0.0.1", sys.argv[3], tls.client_context(keys)))
"""


@pytest.fixture
def lender(world, tmp_path):
    """Lends what the world has; fetch(part) gives git's answer to who shows the certificate of that part."""
    folder = tmp_path / "keys"
    folder.mkdir()
    files = {}
    for part, keys in certificate_authority.make(str(folder)).items():
        for kind, text in keys.items():
            files[part, kind] = str(folder / f"{part}-{kind}")
            Path(files[part, kind]).write_text(text)
    script, client = tmp_path / "server.py", tmp_path / "client.py"
    script.write_text(SERVER)
    client.write_text(CLIENT)
    words = [sys.executable, str(script), str(HOUSE), *(files["agent", kind] for kind in ("ca", "cert", "key"))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline().strip()

        def fetch(app, part="head"):
            keys = " ".join(files[part, kind] for kind in ("ca", "cert", "key"))
            url = f"ext::{sys.executable} {client} {HOUSE} {port} {app} {keys}"
            into = str(tmp_path / "into.git")
            subprocess.run(["git", "init", "-q", "--bare", into], check=True)
            env = os.environ | {"GIT_ALLOW_PROTOCOL": "ext"}
            words = ["git", f"--git-dir={into}", "fetch", "-q", url, "refs/minipaas/*:refs/minipaas/*"]
            done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)
            listed = subprocess.run(["git", f"--git-dir={into}", "for-each-ref"], capture_output=True, text=True)
            return done.returncode, listed.stdout.split()

        yield fetch
        server.kill()


def test_a_head_gets_the_commits_of_releases_and_nobody_else_gets_anything(lender, tmp_path):
    bare = api.repository.create("blog")
    blob = tmp_path / "page"
    blob.write_bytes(os.urandom(300_000))
    env = os.environ | {
        "GIT_DIR": bare,
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }

    def git(*words, data=""):
        return subprocess.run(["git", *words], env=env, input=data, capture_output=True, text=True, check=True).stdout

    name = git("hash-object", "-w", str(blob)).strip()
    tree = git("mktree", data=f"100644 blob {name}\tpage\n").strip()
    commit = git("commit-tree", tree, "-m", "one").strip()
    git("update-ref", "refs/minipaas/v1", commit)
    assert lender("blog", part="agent") != (0, [commit, "commit", "refs/minipaas/v1"])
    assert lender("shop")[0] and lender("../blog")[0]
    assert lender("blog") == (0, [commit, "commit", "refs/minipaas/v1"])


def test_only_an_apps_name_leads_to_a_repository(world):
    folder = api.repository.create("blog")
    assert git_server.repository("blog") == folder
    assert [git_server.repository(name) for name in ("", "shop", "../repos/blog", "blog.git", "blog/", "Blog")] == [
        ""
    ] * 6

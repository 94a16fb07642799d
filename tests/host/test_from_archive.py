"""git:from-archive over ssh, from a URL and from stdin; and what is refused."""

import functools
import http.server
import io
import json
import os
import socket
import subprocess
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
from conftest import MINIPAAS, docker, web

REPOSITORIES = Path("/var/lib/minipaas/repos")


def files_of(body: str) -> dict[str, str]:
    return {name.replace("___", "/").replace("__", "."): text for name, text in web(body).items()}


def tar_of(files: dict[str, str], mode: str = "w", extra=()) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as file:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            file.addfile(info, io.BytesIO(text.encode()))
        for info in extra:
            file.addfile(info)
    return buffer.getvalue()


def zip_of(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            file.writestr(name, text)
    return buffer.getvalue()


def send(host, data: bytes, *words: str, ok: bool = True):
    """Run one of our commands over ssh with bytes on its stdin."""
    done = subprocess.run(
        [*host.ssh_command(), "paas@127.0.0.1", " ".join(words)], input=data, capture_output=True, timeout=180
    )
    if ok:
        assert done.returncode == 0, done.stderr.decode()
        host.succeeded.add(words[0])
    return done.returncode, done.stderr.decode()


def own_address() -> str:
    """An address of this host that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


@pytest.fixture
def served(tmp_path):
    """A folder served over http, redirects for names that begin with `to-`, and its base URL."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if "/to=" in self.path:
                self.send_response(302)
                self.send_header("Location", self.path.partition("/to=")[2])
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *_):
            pass

    (tmp_path / "served").mkdir()
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), functools.partial(Handler, directory=tmp_path / "served"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield tmp_path / "served", f"http://{own_address()}:{server.server_port}"
    server.shutdown()
    server.server_close()


def releases(host, app):
    return json.loads(host.ssh("releases", app, "--format", "json").stdout)


def test_archives_from_stdin_and_a_url_are_deployed_and_can_be_cloned(host, app, served, tmp_path):
    folder, base = served
    host.ssh("apps:create", app)
    code, said = send(host, tar_of(files_of("from a tar")), "git:from-archive", app, "-")
    name = host.url_host(app)
    assert host.get(name) == (200, "from a tar") and f"{app} v1 is live" in said
    send(
        host,
        tar_of({f"blog-2/{path}": text for path, text in files_of("from a tar.gz").items()}, "w:gz"),
        "git:from-archive",
        app,
        "-",
    )
    assert host.get(name) == (200, "from a tar.gz")
    (folder / "blog.zip").write_bytes(zip_of(files_of("from a zip")))
    done = host.ssh("git:from-archive", app, f"{base}/to=/blog.zip?token=s3cret", "Anna Smith", "anna@example.org")
    assert host.get(name) == (200, "from a zip") and "s3cret" not in done.stderr
    again = host.ssh("git:from-archive", app, f"{base}/blog.zip", "Anna Smith", "anna@example.org")
    assert "is this commit already" in again.stderr and len(releases(host, app)) == 3
    assert releases(host, app)[0]["who"] and releases(host, app)[0]["commit"]
    clone = tmp_path / "clone"
    environment = os.environ | {"GIT_SSH_COMMAND": " ".join(host.ssh_command())}
    subprocess.run(
        ["git", "clone", "-q", f"ssh://paas@127.0.0.1:{host.port}/{app}", clone],
        env=environment,
        check=True,
        timeout=60,
    )
    assert (clone / "www/index.html").read_text() == "from a zip" and not (clone / "blog-2").exists()
    log = subprocess.run(
        ["git", "log", "--format=%an %ae"], cwd=clone, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(log) == 3 and log[0] == "Anna Smith anna@example.org" and log[1].startswith(host.key_name)
    host.ssh("releases:rollback", app, "v1")
    assert host.get(name) == (200, "from a tar")


def member(name, kind=tarfile.REGTYPE, target="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


HOSTILE = {
    "two dots": member("../../../../../../tmp/owned"),
    "an absolute path": member("/tmp/owned"),
    "a hard link out": member("leak", tarfile.LNKTYPE, "/etc/passwd"),
    "a device": member("disk", tarfile.BLKTYPE),
    "a pipe": member("pipe", tarfile.FIFOTYPE),
    "a .git folder": member(".git/hooks/pre-receive", mode=0o755),
    "setuid": member("su", mode=0o4755),
    "one name twice": member("Dockerfile"),
}


@pytest.mark.parametrize("info", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused_in_one_sentence_and_leave_nothing(host, app, info):
    host.ssh("apps:create", app)
    code, said = send(host, tar_of(files_of("never"), extra=[info]), "git:from-archive", app, "-", ok=False)
    assert code == 1 and "in the archive" in said and "Traceback" not in said and said.count(" !     ") == 1
    assert releases(host, app) == [] and host.containers(app, every=True) == []
    objects = subprocess.run(
        ["git", f"--git-dir={REPOSITORIES / app}.git", "count-objects", "-v"], capture_output=True, text=True
    ).stdout
    assert "count: 0\n" in objects and "in-pack: 0\n" in objects
    assert not list((REPOSITORIES / f"{app}.git" / "objects").glob("tmp*")) and not Path("/tmp/owned").exists()
    assert (
        docker("images", "-q", f"minipaas/{app}").strip() == ""
        and host.ssh("apps:locked", app, ok=False).returncode == 1
    )


def test_a_failed_build_of_an_archive_leaves_what_was_live(host, app):
    host.ssh("apps:create", app)
    send(host, tar_of(files_of("good")), "git:from-archive", app, "-")
    code, said = send(host, tar_of({"Dockerfile": "FROM scratch\nRUN false\n"}), "git:from-archive", app, "-", ok=False)
    assert code == 1 and host.get(host.url_host(app)) == (200, "good")
    assert [row["status"] for row in releases(host, app)] == ["failed", "live"]


def test_our_own_addresses_are_asked_only_for_root(host, app, served):
    folder, base = served
    port = base.rpartition(":")[2]
    (folder / "a.tar").write_bytes(tar_of(files_of("for root")))
    host.ssh("apps:create", app)
    for url in (
        f"http://127.0.0.1:{port}/a.tar",
        f"http://localhost:{port}/a.tar",
        f"http://[::1]:{port}/a.tar",
        "http://169.254.169.254/latest",
        f"{base}/to=http://127.0.0.1:{port}/a.tar",
        f"http://0.0.0.0:{port}/a.tar",
        f"http://[::ffff:127.0.0.1]:{port}/a.tar",
        f"http://2130706433:{port}/",
    ):
        refused = host.ssh("git:from-archive", app, url, ok=False)
        assert refused.returncode == 2 and "address of this host itself" in refused.stderr, url
    for url in (
        "file:///etc/passwd",
        "ftp://example.org/x",
        "/etc/passwd",
        f"{base}/to=file:///etc/passwd",
        "http://u:pw@example.org/x",
    ):
        refused = host.ssh("git:from-archive", app, url, ok=False)
        assert refused.returncode == 2 and "pw" not in refused.stderr, url
    for url in (f"{base}/none.tar", f"{base}/to=/to=/to=/to=/to=/to=/to=/a.tar"):
        assert host.ssh("git:from-archive", app, url, ok=False).returncode == 1
    assert releases(host, app) == []
    subprocess.run(
        [MINIPAAS, "git:from-archive", app, f"http://127.0.0.1:{port}/a.tar"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert host.get(host.url_host(app)) == (200, "for root")


@pytest.mark.serial
def test_limits_hold_for_archives_and_pushes(host, app, repo):
    host.ssh("apps:create", app)
    try:
        host.ssh("git:set", "--global", "max-size", "100k")
        code, said = send(
            host, tar_of(files_of("x") | {"large": "0" * 300_000}, "w:gz"), "git:from-archive", app, "-", ok=False
        )
        assert code == 1 and "102,400 bytes" in said
        repo.commit(large="".join(map(str, range(60_000))))
        refused = repo.push(ok=False)
        assert refused.returncode != 0
        host.ssh("git:set", "--global", "max-size")
        host.ssh("git:set", "--global", "max-entries", "2")
        refused = repo.push(ok=False)
        assert refused.returncode != 0 and "more than 2 files and folders" in refused.stderr
    finally:
        host.ssh("git:set", "--global", "max-size")
        host.ssh("git:set", "--global", "max-entries")
    repo.push()
    assert host.get(host.url_host(app))[0] == 200

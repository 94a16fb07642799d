"""git:sync from real servers: git over http with and without a password, and over ssh with a deploy key."""

import base64
import http.server
import os
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import MINIPAAS, Repo, web, word
from test_from_archive import own_address, releases
from test_git import add_submodules

REMOTES = Path("/var/lib/minipaas/remotes")
PASSWORD = "pass-" + word(12)


class GitServer(http.server.BaseHTTPRequestHandler):
    """git-http-backend(1) behind http; paths below /private/ want anna's password."""

    root: Path

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "chunked" not in self.headers.get("Transfer-Encoding", "")
            else self.chunks()
        )

    def chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, body: bytes):
        wanted = "Basic " + base64.b64encode(f"anna:{PASSWORD}".encode()).decode()
        if self.path.startswith("/private/") and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        if "/to=" in path:
            self.send_response(302)
            self.send_header("Location", self.path.partition("/to=")[2])
            self.end_headers()
            return
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HOME": str(self.root),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, timeout=60)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(lines.pop("Status", "200").split()[0]))
        for name, value in lines.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Upstream:
    """A repository that others keep, reachable at `url`, `private` and, over ssh, `ssh`."""

    def __init__(self, repo: Repo, bare: Path, base: str):
        self.repo, self.bare, self.name = repo, bare, bare.name
        self.url, self.private = f"{base}/public/{bare.name}", f"{base}/private/{bare.name}"

    def publish(self, ref: str = "main", **files: str) -> str:
        self.repo.commit(**files)
        self.repo.git(
            "push",
            "-q",
            "--force",
            str(self.bare),
            f"HEAD:{ref}" if ref.startswith("refs/") else f"HEAD:refs/heads/{ref}",
        )
        return self.repo.git("rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def upstream(host, tmp_path):
    root = tmp_path / "server"
    (root / "public").mkdir(parents=True)
    (root / "private").symlink_to("public")
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), type("Handler", (GitServer,), {"root": root}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bare = root / "public" / f"{word()}.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True)
    subprocess.run(["git", f"--git-dir={bare}", "config", "uploadpack.allowAnySHA1InWant", "true"], check=True)
    repo = Repo(host, tmp_path / "upstream", "upstream", **web("first"))
    made = Upstream(repo, bare, f"http://{own_address()}:{server.server_port}")
    made.first = made.publish()
    yield made
    server.shutdown()
    server.server_close()


def branch(host, app, name="main") -> str:
    environment = os.environ | {"GIT_SSH_COMMAND": " ".join(host.ssh_command())}
    done = subprocess.run(
        ["git", "ls-remote", f"ssh://paas@127.0.0.1:{host.port}/{app}", f"refs/heads/{name}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.partition("\t")[0]


def test_sync_fetches_and_deploys_when_asked(host, app, upstream):
    host.ssh("apps:create", app)
    said = host.ssh("git:sync", app, upstream.url).stderr
    assert "nothing was deployed" in said and branch(host, app) == upstream.first and releases(host, app) == []
    host.ssh("git:sync", "--build", app, upstream.url)
    name = host.url_host(app)
    assert host.get(name) == (200, "first") and upstream.first.startswith(releases(host, app)[0]["commit"])
    assert (
        "already synced" in host.ssh("git:sync", "--build-if-changes", app, upstream.url).stderr
        and len(releases(host, app)) == 1
    )
    second = upstream.publish(www___index__html="second")
    host.ssh("git:sync", "--build-if-changes", app, upstream.url, "main")
    assert host.get(name) == (200, "second") and branch(host, app) == second
    host.ssh("git:sync", "--build", app, upstream.url, upstream.first)
    assert host.get(name) == (200, "first") and len(releases(host, app)) == 3
    upstream.publish("refs/tags/v9", www___index__html="tagged")
    host.ssh("git:sync", "--build", app, upstream.url, "v9")
    assert host.get(name) == (200, "tagged")
    host.ssh("git:sync", "--build", app, upstream.url, "v9")
    assert len(releases(host, app)) == 5, "--build builds what is live already, too"


def test_a_commit_that_fails_is_tried_once_and_a_rollback_is_not_undone(host, app, upstream):
    host.ssh("apps:create", app)
    host.ssh("git:sync", "--build-if-changes", app, upstream.url)
    upstream.publish(Dockerfile="FROM scratch\nRUN false\n")
    assert host.ssh("git:sync", "--build-if-changes", app, upstream.url, ok=False).returncode == 1
    assert host.ssh("git:sync", "--build-if-changes", app, upstream.url).returncode == 0
    assert [row["status"] for row in releases(host, app)] == ["failed", "live"] and host.get(host.url_host(app)) == (
        200,
        "first",
    )
    upstream.publish(**web("good again"))
    host.ssh("git:sync", "--build-if-changes", app, upstream.url)
    host.ssh("releases:rollback", app, "v1")
    host.ssh("git:sync", "--build-if-changes", app, upstream.url)
    assert host.get(host.url_host(app)) == (200, "first")


def test_a_branch_that_is_synced_becomes_the_deploy_branch_unless_told_not_to(host, app, upstream):
    host.ssh("apps:create", app)
    upstream.publish("feature", www___index__html="feature")
    host.ssh("git:sync", "--build", "--skip-deploy-branch", app, upstream.url, "feature")
    assert host.ssh("git:report", app, "--git-deploy-branch").stdout == "main or master\n" and branch(host, app)
    host.ssh("git:sync", "--build", app, upstream.url, "feature")
    assert host.ssh("git:report", app, "--git-deploy-branch").stdout == "feature\n" and branch(host, app, "feature")


@pytest.fixture
def upstream_by_https(upstream, tmp_path):
    """The same behind TLS, with a certificate that the host trusts meanwhile."""
    pem, bundle = tmp_path / "server.pem", Path("/etc/ssl/certs/ca-certificates.crt")
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-addext",
        f"subjectAltName=IP:{own_address()}",
        "-addext",
        "keyUsage=critical,digitalSignature,keyCertSign",
    ]
    subprocess.run([*words, "-keyout", f"{pem}.key", "-out", pem], check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(
        ("0.0.0.0", 0), type("Handler", (GitServer,), {"root": upstream.bare.parent.parent})
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, f"{pem}.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    both = tmp_path / "bundle.pem"
    both.write_text(bundle.read_text() + pem.read_text())
    both.chmod(0o644)
    subprocess.run(["mount", "--bind", both, bundle], check=True)
    made = Upstream(upstream.repo, upstream.bare, f"https://{own_address()}:{server.server_port}")
    made.first = upstream.first
    yield made
    subprocess.run(["umount", bundle], check=True)
    server.shutdown()
    server.server_close()


def test_a_repository_that_has_moved_is_followed_and_not_to_this_host(host, app, upstream):
    host.ssh("apps:create", app)
    base = upstream.url.partition("/public/")[0]
    said = host.ssh("git:sync", "--build", app, f"{base}/to=/public/{upstream.name}")
    assert "it has moved to" in said.stderr and host.get(host.url_host(app)) == (200, "first")
    port = base.rpartition(":")[2]
    for place in (
        f"http://127.0.0.1:{port}/public/{upstream.name}/info/refs?service=git-upload-pack",
        "http://169.254.169.254/latest/info/refs?service=git-upload-pack",
    ):
        refused = host.ssh("git:sync", "--build", app, f"{base}/to={place.partition('/info/refs')[0]}", ok=False)
        assert refused.returncode == 2 and "minipaas does not fetch from there" in refused.stderr
    local = f"http://127.0.0.1:{port}/public/{upstream.name}"
    assert host.ssh("git:sync", "--build", app, local, ok=False).returncode == 2
    subprocess.run(
        [MINIPAAS, "git:sync", "--build", app, local], check=True, capture_output=True, timeout=120
    )  # root may


@pytest.mark.serial  # the whole host trusts another certificate meanwhile
def test_a_private_repository_wants_git_auth_which_no_listing_shows(host, app, upstream_by_https, upstream):
    plain, upstream = upstream, upstream_by_https
    host.ssh("apps:create", app)
    server = upstream.url.split("/")[2]
    refused = host.ssh("git:sync", "--build", app, upstream.private, ok=False)
    assert refused.returncode == 1 and "git:auth" in refused.stderr
    host.ssh("git:auth", "--password-stdin", server, "anna", input="wrong\n")
    assert host.ssh("git:sync", "--build", app, upstream.private, ok=False).returncode == 1
    host.ssh("git:auth", "--password-stdin", server, "anna", input=PASSWORD + "\n")
    try:
        said = host.ssh("git:sync", "--build", app, upstream.private)
        assert host.get(host.url_host(app)) == (200, "first") and PASSWORD not in said.stderr + said.stdout
        assert (REMOTES / "credentials").stat().st_mode & 0o777 == 0o600
        holders = subprocess.run(
            ["grep", "-rlF", PASSWORD, "/var/lib/minipaas"], capture_output=True, text=True
        ).stdout.split()
        assert holders == [str(REMOTES / "credentials")]
        add_submodules(upstream.repo, {"www/lib": (upstream.private, upstream.first)})
        upstream.repo.git("push", "-q", str(upstream.bare), "main")
        host.ssh("git:sync", "--build", app, upstream.private)
        assert host.get(host.url_host(app), "/lib/www/index.html") == (200, "first")
        host.ssh("git:auth", "--password-stdin", plain.url.split("/")[2], "anna", input=PASSWORD + "\n")
        try:
            refused = host.ssh("git:sync", "--build", app, plain.private, ok=False)
            assert refused.returncode == 1 and "over https only" in refused.stderr
        finally:
            host.ssh("git:auth", plain.url.split("/")[2])
    finally:
        host.ssh("git:auth", server)
    assert host.ssh("git:auth", server, ok=False).returncode == 1
    assert host.ssh("git:sync", "--build", app, upstream.private, ok=False).returncode == 1


def test_over_ssh_with_a_deploy_key_to_a_host_that_is_trusted(host, app, other_app, repo, upstream):
    """The server is our own: another app's repository, and the deploy key is let in as a user's."""
    repo.push()
    host.ssh("apps:create", other_app)
    address = own_address()
    url = f"ssh://paas@{address}:{host.port}/{app}"
    shutil.rmtree(REMOTES / "apps", ignore_errors=True)
    (REMOTES / "known_hosts").unlink(missing_ok=True)
    refused = host.ssh("git:sync", "--build", other_app, url, ok=False)
    assert refused.returncode == 1 and "git:allow-host" in refused.stderr
    trusted = host.ssh("git:allow-host", f"{address}:{host.port}")
    assert "SHA256:" in trusted.stderr
    refused = host.ssh("git:sync", "--build", other_app, url, ok=False)
    assert refused.returncode == 1 and "git:generate-deploy-key" in refused.stderr, "none of paas's own keys is tried"
    public = host.ssh("git:generate-deploy-key", other_app).stdout
    assert (
        host.ssh("git:generate-deploy-key", other_app).stdout == host.ssh("git:public-key", other_app).stdout == public
    )
    assert (REMOTES / "apps" / other_app).stat().st_mode & 0o777 == 0o600
    key = "deploy-" + word()
    host.ssh("ssh-keys:add", key, "-", input=public)
    try:
        host.ssh("git:sync", "--build", other_app, url)
        assert host.get(host.url_host(other_app)) == (200, "hello from " + app)
    finally:
        host.ssh("ssh-keys:remove", key)
    assert host.ssh("git:public-key", app, ok=False).returncode == 1


@pytest.mark.parametrize(
    "url",
    [
        "file:///var/lib/minipaas/repos/x.git",
        "/etc",
        "ext::sh -c id>/tmp/owned",
        "--upload-pack=id",
        "fd::17",
        "../x",
        "https://u:pw@example.org/x",
        "http://127.0.0.1/x",
        "http://169.254.169.254/x",
        "ssh://-oProxyCommand=id/x",
        "git://[::1]/x",
        "localhost:x",
        "",
    ],
)
def test_urls_that_are_not_asked(host, app, url):
    host.ssh("apps:create", app)
    refused = host.ssh("git:sync", "--build", app, "--", url, ok=False)
    assert refused.returncode == 2 and "pw@" not in refused.stderr and not Path("/tmp/owned").exists()


@pytest.mark.parametrize("ref", ["-x", "a:b", "+main", "a..b", "main\nx", "refs/heads/main", "*"])
def test_refs_that_are_none(host, app, upstream, ref):
    host.ssh("apps:create", app)
    assert host.ssh("git:sync", "--build", app, upstream.url, "--", ref, ok=False).returncode == 2
    missing = host.ssh("git:sync", "--build", app, upstream.url, "no-such-branch", ok=False)
    assert missing.returncode == 1 and "no-such-branch" in missing.stderr


@pytest.mark.serial  # it sets a limit for all repositories
def test_a_hostile_or_too_large_repository_is_refused_and_leaves_nothing(host, app, upstream):
    host.ssh("apps:create", app)
    deep = upstream.repo.folder / "/".join(["d"] * 100)
    deep.mkdir(parents=True)
    (deep / "f").write_text("x")
    upstream.publish()
    refused = host.ssh("git:sync", "--build", app, upstream.url, ok=False)
    assert refused.returncode == 1 and "lies deeper than" in refused.stderr and host.containers(app, every=True) == []
    shutil.rmtree(upstream.repo.folder / "d")
    (upstream.repo.folder / "noise").write_bytes(os.urandom(400_000))
    upstream.publish()
    subprocess.run([MINIPAAS, "git:set", "--global", "max-size", "100k"], check=True, capture_output=True)
    try:
        refused = host.ssh("git:sync", "--build", app, upstream.url, ok=False)
        assert refused.returncode == 1 and "max-size" in refused.stderr
        assert not list(Path(f"/var/lib/minipaas/repos/{app}.git/objects").glob("tmp*"))
    finally:
        subprocess.run([MINIPAAS, "git:set", "--global", "max-size"], check=True, capture_output=True)

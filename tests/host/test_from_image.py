"""git:from-image, git:load-image and registries, with a real registry that wants a password."""

import json
import os
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from conftest import BUSYBOX_IMAGE, Repo, docker, wait_for, word
from test_from_archive import releases, send

REGISTRY = "/usr/bin/docker-registry"
PASSWORD = "pass-" + word(12)


def make_image(
    name: str, body: str, *, extra: str = 'EXPOSE 8080/tcp\nCMD ["sh", "-c", "exec httpd -f -p $PORT -h /www"]\n'
) -> str:
    """An image made on this host as somebody else's build would; its ID."""
    text = f'FROM {BUSYBOX_IMAGE}\nRUN ["sh", "-c", "echo -n \'{body}\' > /www/index.html"]\n{extra}'
    docker("build", "-q", "-t", name, "-", input=text.encode())
    return docker("image", "inspect", "--format", "{{.Id}}", name).strip()


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """The address of a registry that lets `anna` in with PASSWORD."""
    assert os.path.exists(REGISTRY), "apt-get install docker-registry apache2-utils"
    folder = tmp_path_factory.mktemp("registry")
    line = subprocess.run(["htpasswd", "-nbB", "anna", PASSWORD], capture_output=True, text=True, check=True).stdout
    (folder / "htpasswd").write_text(line)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config.yml").write_text(
        "version: 0.1\n"
        "log: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\nauth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n"
    )
    process = subprocess.Popen(
        [REGISTRY, "serve", folder / "config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def answers():
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2)
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False

    wait_for(answers, 20)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


def publish(registry: str, folder: Path, name: str) -> None:
    """Push an image as its maker does, and forget it here."""
    config = ["--config", str(folder / "maker")]
    subprocess.run(
        ["docker", *config, "login", "-u", "anna", "--password-stdin", registry],
        input=PASSWORD.encode(),
        check=True,
        capture_output=True,
    )
    docker(*config, "push", name)
    docker("image", "rm", "-f", name)


def tags(registry: str, repository: str) -> list[str]:
    import base64

    request = urllib.request.Request(f"http://{registry}/v2/{repository}/tags/list")
    request.add_header("Authorization", "Basic " + base64.b64encode(f"anna:{PASSWORD}".encode()).decode())
    return sorted(json.load(urllib.request.urlopen(request, timeout=10))["tags"] or [])


def test_an_image_of_this_host_is_deployed_and_the_same_again_is_not(host, app, other_app):
    name = f"t-made/{word()}:1"
    first = make_image(name, "first")
    host.ssh("apps:create", app)
    said = host.ssh("git:from-image", app, name).stderr
    assert host.get(host.url_host(app)) == (200, "first") and "builder image" in said and f"{app} v1 is live" in said
    again = host.ssh("git:from-image", app, name)
    assert "is this commit already" in again.stderr and len(releases(host, app)) == 1
    second = make_image(name, "second")
    assert second != first
    host.ssh("git:from-image", app, name, "Anna", "anna@example.org")
    assert host.get(host.url_host(app)) == (200, "second")
    host.ssh("releases:rollback", app, "v1")
    assert host.get(host.url_host(app)) == (200, "first")
    assert docker("image", "inspect", "--format", "{{.Id}}", name).strip() == second, (
        "the names of the host are as they were"
    )
    docker("image", "rm", name)
    host.ssh("git:from-image", app, f"minipaas/{app}:v2")
    assert host.get(host.url_host(app)) == (200, "second")
    host.ssh("apps:rename", app, other_app)
    host.ssh("ps:rebuild", other_app)
    host.ssh("git:from-image", other_app, f"minipaas/{other_app}:v1")
    assert host.get(host.url_host(other_app)) == (200, "first")
    refused = host.ssh("git:from-image", other_app, f"minipaas/{other_app}:v99", ok=False)
    assert refused.returncode == 1 and "it is not on this host" in refused.stderr and "Pulling" not in refused.stderr
    assert f"minipaas/{other_app}:v0" not in docker("images", "--format", "{{.Repository}}:{{.Tag}}")


def test_a_procfile_beside_the_image_and_a_push_of_a_source_tree_after_it(host, app, repo, tmp_path):
    name = f"t-made/{word()}:1"
    make_image(name, "with a Procfile", extra="")
    host.ssh("apps:create", app)
    refused = host.ssh("git:from-image", app, name, ok=False)
    assert refused.returncode == 1 and "has no command of its own" in refused.stderr and "Procfile" in refused.stderr
    repo.git("rm", "-rq", ".")
    (repo.folder / ".minipaas-image.toml").write_text(f'image = "{name}"\n')
    repo.commit(Procfile="web: exec httpd -f -p $PORT -h /www\n")
    repo.push()
    assert host.get(host.url_host(app)) == (200, "with a Procfile")
    make_image(name, "newer", extra="")
    host.ssh("git:from-image", app, name)
    assert host.get(host.url_host(app)) == (200, "newer"), "the Procfile stayed"
    repo.git("fetch", "-q", "paas")
    repo.git("reset", "-q", "--hard", "paas/main")
    assert 'id = "sha256:' in (repo.folder / ".minipaas-image.toml").read_text() and (repo.folder / "Procfile").exists()
    repo.git("rm", "-q", ".minipaas-image.toml", "Procfile")
    repo.commit(
        Dockerfile=(
            f"FROM {BUSYBOX_IMAGE}\n"
            'RUN ["sh", "-c", "echo -n built > /www/index.html"]\n'
            'CMD ["sh", "-c", "exec httpd -f -p $PORT -h /www"]\n'
        )
    )
    repo.push()
    assert host.get(host.url_host(app)) == (200, "built")


def test_a_registry_with_a_password_to_pull_from_and_to_send_releases_to(host, app, other_app, registry, tmp_path):
    name = f"{registry}/made/{word()}:1"
    image = make_image(name, "from the registry")
    publish(registry, tmp_path, name)
    host.ssh("apps:create", app)
    refused = host.ssh("git:from-image", app, name, ok=False)
    assert refused.returncode == 1 and f"registry:login {app}" in refused.stderr
    wrong = host.ssh("registry:login", "--password-stdin", app, registry, "anna", input="wrong\n", ok=False)
    assert wrong.returncode == 77 and "wrong" not in wrong.stderr
    host.ssh("registry:login", "--password-stdin", app, registry, "anna", input=PASSWORD + "\n")
    host.ssh("git:from-image", app, name)
    assert host.get(host.url_host(app)) == (200, "from the registry")
    assert releases(host, app)[0]["status"] == "live" and docker("images", "-q", name).strip() == "", (
        "only our own name of it stays"
    )
    kept = list(Path("/var/lib/minipaas/plugin-data/registry").rglob("config.json"))
    assert kept and all(path.stat().st_mode & 0o777 == 0o600 for path in kept)
    report = json.loads(host.ssh("registry:report", app, "--format", "json").stdout)
    assert report["registry-logins"] == [registry] and PASSWORD not in json.dumps(report)
    # another app may not
    host.ssh("apps:create", other_app)
    docker("image", "rm", "-f", image, ok=False)
    assert host.ssh("git:from-image", other_app, name, ok=False).returncode == 1

    # a Dockerfile may build on it for the app that is logged in
    repo = Repo(
        host,
        tmp_path / "repo",
        other_app,
        Dockerfile=f'FROM {name}\nRUN ["sh", "-c", "echo -n built on it > /www/index.html"]\n',
    )
    assert repo.push(ok=False).returncode != 0
    host.ssh("registry:login", "--password-stdin", other_app, registry, "anna", input=PASSWORD + "\n")
    repo.commit(more="1")
    repo.push()
    assert host.get(host.url_host(other_app)) == (200, "built on it")

    host.ssh("registry:set", app, "server", registry)
    host.ssh("registry:set", app, "image-repo", f"sent/{app}")
    host.ssh("registry:set", app, "push-on-release", "true")
    host.ssh("ps:rebuild", app)
    assert tags(registry, f"sent/{app}") == ["v3"] or tags(registry, f"sent/{app}") == ["v2"]
    assert json.loads(host.ssh("registry:report", app, "--format", "json").stdout)["registry-image"].startswith(
        f"{registry}/sent/{app}:v"
    )
    before = releases(host, app)[0]["v"]
    host.ssh("registry:logout", app, registry)
    failed = host.ssh("ps:rebuild", app, ok=False)
    assert (
        failed.returncode == 1
        and "cannot be pushed to" in failed.stderr
        and host.get(host.url_host(app)) == (200, "from the registry")
    )
    assert [row["v"] for row in releases(host, app) if row["status"] == "live"] == [before]
    assert host.ssh("registry:logout", app, registry, ok=False).returncode == 1
    host.ssh("registry:login", "--global", "--password-stdin", registry, "anna", input=PASSWORD)
    host.ssh("ps:rebuild", app)
    host.ssh("registry:logout", "--global", registry)


def test_an_image_comes_on_stdin_and_may_name_no_other(host, app, other_app, repo):
    name, other = f"t-made/{word()}:1", f"minipaas/{other_app}:v1"
    image = make_image(name, "from stdin")
    docker("tag", image, other)
    saved = subprocess.run(["docker", "save", name], capture_output=True, check=True).stdout
    both = subprocess.run(["docker", "save", name, other], capture_output=True, check=True).stdout
    host.ssh("apps:create", app)
    docker("image", "rm", "-f", name, other)
    for data, why in ((both, "names"), (b"no tar", "not an image"), (saved[: len(saved) // 2], ""), (b"", "")):
        code, said = send(host, data, "git:load-image", app, name, ok=False)
        assert code == 1 and why in said and "Traceback" not in said
    code, said = send(host, saved, "git:load-image", app, "t-made/else:1", ok=False)
    assert code == 1 and docker("images", "-q", name).strip() == ""
    assert releases(host, app) == []
    for ours in (other, f"minipaas/{app}:v1"):
        code, said = send(host, saved, "git:load-image", app, ours, ok=False)
        assert code == 2 and "cannot come from elsewhere" in said
    mine = make_image(name, "what the host calls so")
    send(host, saved, "git:load-image", app, name)
    assert host.get(host.url_host(app)) == (200, "from stdin")
    assert docker("image", "inspect", "--format", "{{.Id}}", name).strip() == mine, (
        "the names of the host are as they were"
    )
    docker("image", "rm", "-f", name)
    code, said = send(host, saved, "git:load-image", app, name)
    assert "is this commit already" in said and len(releases(host, app)) == 1
    host.ssh("config:set", app, "A=1")
    assert host.get(host.url_host(app)) == (200, "from stdin")


def test_another_apps_image_is_not_to_be_had_by_name_label_or_id(host, app, other_app, repo):
    secret = f"t-made/{word()}:1"
    image = make_image(secret, "private")
    host.ssh("apps:create", other_app)
    host.ssh("git:from-image", other_app, secret)
    docker("image", "rm", secret)
    host.ssh("apps:create", app)
    refused = host.ssh("git:from-image", app, f"minipaas/{other_app}:v1", ok=False)
    assert refused.returncode == 1 and f"image of the app {other_app}" in refused.stderr
    (repo.folder / ".minipaas-image.toml").write_text(f'image = "{secret}"\nid = "{image}"\n')
    repo.commit()
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "cannot be pulled" in refused.stderr and host.containers(app, every=True) == []
    labelled = f"t-made/{word()}:1"
    make_image(labelled, "labelled", extra=f'LABEL minipaas.app={other_app}\nCMD ["sh"]\n')
    refused = host.ssh("git:from-image", app, labelled, ok=False)
    assert refused.returncode == 1 and f"image of the app {other_app}" in refused.stderr
    docker("image", "rm", labelled)


@pytest.mark.parametrize("name", ["", "-x", "A/b", "x:", "a b", "x@sha256:1", "../x", "x;id", "a" * 500])
def test_names_that_are_no_images_are_refused(host, app, name):
    host.ssh("apps:create", app)
    assert host.ssh("git:from-image", app, name, ok=False).returncode == 2


def test_a_mark_that_a_person_wrote_badly_is_named(host, app, repo):
    for text in ('image = "--privileged"', "image = 3", "x", 'id = "sha256:1"', 'image = "a"\nid = "sha256:zz"'):
        (repo.folder / ".minipaas-image.toml").write_text(text)
        repo.commit()
        refused = repo.push(ok=False)
        assert (
            refused.returncode != 0
            and ".minipaas-image.toml" in refused.stderr
            and "itself failed" not in refused.stderr
        )

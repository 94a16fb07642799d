"""Which builder builds, from which folder, and what is said of a repository that nobody can build."""

import contextlib
import io
import json
import os
import random
import re
import shlex
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from conftest import BUSYBOX_IMAGE, DOCKER, Repo, docker, wait_for, web


def test_a_folder_of_the_repository_is_built_and_nothing_else_of_it(host, app, tmp_path):
    repo = Repo(
        host,
        tmp_path / "repo",
        app,
        **{
            "Dockerfile": "FROM scratch\nCOPY nothing /\n",
            "secret": "x",
            "web___Dockerfile": f"FROM {BUSYBOX_IMAGE}\nCOPY . /www\n",
            "web___index__html": "from web",
            "web___Procfile": "web: exec httpd -f -p $PORT -h /www\n",
        },
    )
    host.ssh("apps:create", app)
    host.ssh("builder:set", app, "build-dir", "web")
    host.ssh("builder:set", app, "selected", "dockerfile")
    pushed = repo.push().stderr
    assert "from the folder web" in pushed and "builder dockerfile: builder:set selected it" in pushed
    name = host.url_host(app)
    assert host.get(name) == (200, "from web") and host.get(name, "/secret")[0] == 404
    report = json.loads(host.ssh("builder:report", app, "--format", "json").stdout)
    assert (
        report["builder-build-dir"] == report["builder-computed-build-dir"] == "web"
        and "dockerfile" in report["builder-available"]
    )
    (repo.folder / "linked").symlink_to("web")
    repo.commit()
    host.ssh("builder:set", app, "build-dir", "linked")
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "build-dir linked does not exist in this commit" in refused.stderr
    assert host.get(name) == (200, "from web")


def test_a_repository_that_nobody_can_build_says_what_was_looked_for(host, app, tmp_path):
    repo = Repo(host, tmp_path / "repo", app, README="hello")
    refused = repo.push(ok=False)
    assert refused.returncode != 0
    line = next(line for line in refused.stderr.splitlines() if "cannot be built: " in line)
    assert f"{app} cannot be built: the top folder has none of " in line and "Dockerfile" in line


BASE = f"FROM {BUSYBOX_IMAGE}\n"
SERVE = 'CMD ["sh", "-c", "exec httpd -f -p $PORT -h /www"]\n'


def everything_of(image):
    """All that an image holds and says of itself: its layers unpacked to one text, its history, its configuration."""
    saved = subprocess.run([DOCKER, "save", image], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as outer:
        layers = [outer.extractfile(entry).read() for entry in outer if entry.isfile()]
    return b"\n".join(
        [*layers, docker("history", "--no-trunc", image).encode(), docker("image", "inspect", image).encode()]
    )


def test_a_stage_is_built_with_a_secret_that_stays_nowhere(host, app, tmp_path):
    secret = "geheim-" + "".join(random.choices("abcdefgh", k=20))
    dockerfile = (
        BASE + f"RUN mkdir -p /www && echo first > /www/index.html && echo {time.time_ns()}\n"  # docker's cache stays
        "RUN --mount=type=secret,id=TOKEN,required=true cat /run/secrets/TOKEN; echo; "
        "test -s /run/secrets/TOKEN && echo had-it > /www/secret\n"
        + f"FROM {BUSYBOX_IMAGE} AS last\nRUN mkdir -p /www && echo last > /www/index.html\n"
        + SERVE
    ).replace(BASE, f"FROM {BUSYBOX_IMAGE} AS first\n", 1)
    repo = Repo(host, tmp_path / "repo", app, Dockerfile=dockerfile, Procfile="web: exec httpd -f -p $PORT -h /www\n")
    host.ssh("apps:create", app)
    host.ssh("config:set", app, "-", input=f"TOKEN={secret}\n")
    host.ssh("builder-dockerfile:set", app, "target", "first")
    refused = repo.push(ok=False)
    assert refused.returncode != 0, "the secret is required, and nothing gives it"
    host.ssh("builder-dockerfile:set", app, "secrets", "TOKEN")
    pushed = repo.push().stderr
    assert secret not in pushed and "***" in pushed, "what a step prints of it is hidden"
    name = host.url_host(app)
    assert host.get(name) == (200, "first\n") and host.get(name, "/secret") == (200, "had-it\n")
    image = json.loads(host.ssh("releases:info", app, "v2", "--format", "json").stdout)["image"]
    held = everything_of(image)
    assert b"had-it" in held and secret.encode() not in held
    assert secret not in host.ssh("releases:output", app).stdout
    refused = host.ssh("config:unset", "--no-restart", app, "TOKEN", ok=False)
    assert refused.returncode == 2 and f"builds of {app} use TOKEN as a secret" in refused.stderr


def test_dockerignore_keeps_files_out_of_the_build(host, app, tmp_path):
    repo = Repo(
        host,
        tmp_path / "repo",
        app,
        **{
            "Dockerfile": BASE + "COPY . /www\n" + SERVE,
            "index__html": "hello",
            "notes__secret": "x",
            "deep___notes__secret": "x",
            "deep___keep__secret": "x",
            "__dockerignore": "**/*.secret\n!deep/keep.secret\n",
        },
    )
    repo.push()
    name = host.url_host(app)
    seen = {path: host.get(name, path)[0] for path in ("/", "/notes.secret", "/deep/notes.secret", "/deep/keep.secret")}
    assert seen == {"/": 200, "/notes.secret": 404, "/deep/notes.secret": 404, "/deep/keep.secret": 200}


def sleepers(mark):
    """Processes that sleep for `mark` seconds."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:2] == [b"sleep", mark.encode()]:
                found.append(pid)
    return found


def slow(mark):
    return BASE + f"RUN sleep {mark}\nRUN true\n" + SERVE


def test_a_build_that_takes_too_long_is_stopped_and_says_so(host, app, tmp_path):
    mark = str(random.randrange(10**6, 10**7))
    repo = Repo(host, tmp_path / "repo", app, Dockerfile=slow(mark))
    host.ssh("apps:create", app)
    host.ssh("builder-dockerfile:set", app, "timeout", "5s")
    began = time.monotonic()
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "the build took more than 5 seconds and was stopped" in refused.stderr
    assert time.monotonic() - began < 60
    wait_for(lambda: not sleepers(mark), 30)
    assert not docker("images", "-q", f"minipaas/{app}").strip()
    assert "5" in host.ssh("builder-dockerfile:report", app, "--builder-dockerfile-timeout").stdout


def test_a_hang_up_of_the_push_stops_the_build_in_docker_too(host, app, tmp_path):
    mark = str(random.randrange(10**6, 10**7))
    repo = Repo(host, tmp_path / "repo", app, Dockerfile=slow(mark))
    host.ssh("apps:create", app)  # a first push that is cancelled takes the app along
    environment = os.environ | {"GIT_SSH_COMMAND": shlex.join(host.ssh_command())}
    pushing = subprocess.Popen(
        ["git", "push", "-q", "paas", "main"],
        cwd=repo.folder,
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: sleepers(mark), 60)
    finally:
        os.killpg(pushing.pid, signal.SIGKILL)
        pushing.wait()
    wait_for(lambda: not sleepers(mark), 30)
    wait_for(lambda: json.loads(host.ssh("releases", app, "--format", "json").stdout)[0]["status"] == "failed", 30)
    assert not docker("images", "-q", f"minipaas/{app}").strip() and host.containers(app, every=True) == []


def test_no_app_builds_on_the_image_of_another(host, app, other_app, tmp_path):
    Repo(host, tmp_path / "victim", other_app, **web("secret of the other")).push()
    stolen = f"minipaas/{other_app}:v1"
    repo = Repo(host, tmp_path / "repo", app, Dockerfile=f"FROM {stolen}\n")
    docker("tag", stolen, "innocent:1")
    try:
        for dockerfile in (
            f"FROM {stolen}\n",
            f"ARG A=mini\nfrom docker.io/${{A}}paas/{other_app}:v1\n",
            BASE + f"COPY --from={stolen} /www /www\n" + SERVE,
            BASE + f"RUN --mount=type=bind,from=index.docker.io/{stolen},target=/m cp -r /m/www /\n" + SERVE,
            "FROM innocent:1\n",
            f"# syntax={stolen}\n" + BASE,
            f"RUN x \\\\\nFR\\\nOM \\\n {stolen}\n",
        ):
            repo.commit(Dockerfile=dockerfile)
            refused = repo.push(ok=False)
            assert refused.returncode != 0, dockerfile
            said = refused.stderr
            assert (
                f"cannot be based on an image of the app {other_app}" in said
                or "only docker/dockerfile and its tags" in said
            ), dockerfile
    finally:
        docker("image", "rm", "innocent:1")
    repo.commit(Dockerfile=BASE + "RUN mkdir -p /www && echo mine > /www/index.html\n" + SERVE)
    repo.push()
    number = json.loads(host.ssh("releases", app, "--format", "json").stdout)[0]["v"]
    repo.commit(Dockerfile=f"FROM minipaas/{app}:{number}\nRUN echo mine again > /www/index.html\n")
    repo.push()
    assert host.get(host.url_host(app)) == (200, "mine again\n")


def test_builds_get_proxies_registries_and_certificates(host, app, tmp_path):
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            "/CN=test",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout",
            "/dev/null",
            "-out",
            tmp_path / "ca.pem",
        ],
        check=True,
        capture_output=True,
    )
    pem = (tmp_path / "ca.pem").read_text()
    dockerfile = (
        BASE
        + (
            f"ARG NPM_CONFIG_REGISTRY\nRUN mkdir -p /www && env > /www/env && echo {time.time_ns()}\n"
            "RUN --mount=type=secret,id=minipaas-ca,target=/ca.pem cat /ca.pem > /www/ca\n"
        )
        + SERVE
    )
    repo = Repo(host, tmp_path / "repo", app, Dockerfile=dockerfile)
    host.ssh("apps:create", app)
    host.ssh("builder:set", app, "http-proxy", "http://user:geheim@127.0.0.1:9")
    host.ssh("builder:set", app, "npm-registry", "https://npm.test/")
    host.ssh("builder:set", app, "ca-file", "-", input=pem)
    repo.push()
    name = host.url_host(app)
    env = host.get(name, "/env")[1]
    assert "http_proxy=http://user:geheim@127.0.0.1:9\n" in env and "NPM_CONFIG_REGISTRY=https://npm.test/\n" in env
    assert host.get(name, "/ca") == (200, pem)
    assert "geheim" not in docker("history", "--no-trunc", f"minipaas/{app}:v1")
    assert "geheim" not in host.ssh("releases:output", app).stdout


def rows(host, app):
    return json.loads(host.ssh("builds:list", app, "--format", "json").stdout)


def test_a_build_is_listed_followed_and_cancelled_by_another(host, app, tmp_path):
    mark = str(random.randrange(10**6, 10**7))
    repo = Repo(host, tmp_path / "repo", app, **web("first"))
    repo.push()
    (first,) = rows(host, app)
    assert (
        first["status"] == "succeeded"
        and first["builder"] == "dockerfile"
        and first["size"] > 10**5
        and first["who"] == host.key_name
    )
    assert repo.git("rev-parse", "HEAD").stdout.strip() == first["commit"]
    assert (
        "is live" in host.ssh("builds:output", app, "v1").stdout
        and "dockerfile" in host.ssh("builds:info", app, "1").stdout
    )
    repo.commit(Dockerfile=f"{BASE}RUN echo begun-{mark}\nRUN sleep {mark}\n" + SERVE)
    environment = os.environ | {"GIT_SSH_COMMAND": shlex.join(host.ssh_command())}
    pushing = subprocess.Popen(
        ["git", "push", "paas", "main"], cwd=repo.folder, env=environment, stderr=subprocess.PIPE, text=True
    )
    following = None
    try:
        wait_for(lambda: sleepers(mark), 60)
        running = rows(host, app)[0]
        assert (running["number"], running["status"], running["builder"], running["size"]) == (
            2,
            "building",
            "dockerfile",
            None,
        )
        following = subprocess.Popen(
            [*host.ssh_command(), "paas@127.0.0.1", f"builds:output {app} -f"], stdout=subprocess.PIPE, text=True
        )
        assert any(f"begun-{mark}" in line for line in iter(following.stdout.readline, ""))
        refused = host.ssh("builds:prune", app, ok=False)
        assert refused.returncode == 75, "what a running build has made is nobody's yet"
        done = host.ssh("builds:cancel", app)
        assert f"v2 of {app} is cancelled; v1 serves as before" in done.stderr
        assert "cancelled" in pushing.communicate(timeout=30)[1] and pushing.returncode != 0
        assert "cancelled" in following.communicate(timeout=30)[0]
    finally:
        for process in (pushing, following):
            if process:
                process.kill()
                process.wait()
    wait_for(lambda: not sleepers(mark), 30)
    assert rows(host, app)[0]["status"] == "cancelled" and host.get(host.url_host(app)) == (200, "first")
    refused = host.ssh("builds:cancel", app, ok=False)
    assert refused.returncode != 0 and f"{app} is not being built or deployed" in refused.stderr


@pytest.mark.serial  # it prunes for all apps
def test_pruning_builds_leaves_what_releases_have(host, app, tmp_path):
    repo = Repo(host, tmp_path / "repo", app, **web("one"))
    repo.push()
    repo.commit(www___index__html="two")
    repo.push()
    loose = docker(
        "build",
        "-q",
        "--no-cache",
        "--label",
        f"minipaas.app={app}",
        "-",
        input=(BASE + f"LABEL x={time.time_ns()}\n").encode(),
    ).strip()
    first = json.loads(host.ssh("releases:info", app, "v1", "--format", "json").stdout)["image"]
    docker("image", "rm", f"minipaas/{app}:v1", ok=False)  # the old process, if it still retires, keeps the image
    said = host.ssh("builds:prune", app).stderr
    assert loose in said and first not in said
    assert loose not in docker("images", "-aq", "--no-trunc")
    assert f"minipaas/{app}:v2" in docker("images", "--format", "{{.Repository}}:{{.Tag}}")
    cache = host.ssh("builds:prune", "--all", "--keep-cache", "20g").stderr
    assert "of build cache" in cache
    assert host.get(host.url_host(app)) == (200, "two")
    host.ssh("builder-dockerfile:set", app, "no-cache", "true")
    again = r"COPY www /www\n +\(cached\)"  # FROM has no work to do either way
    assert not re.search(again, host.ssh("ps:rebuild", app).stderr)
    host.ssh("builder-dockerfile:set", app, "no-cache")
    assert re.search(again, host.ssh("ps:rebuild", app).stderr)

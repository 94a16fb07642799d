"""What else comes with a push: submodules, hostile trees, clients that hang up, and others who push at that time."""

import contextlib
import copy
import functools
import http.server
import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import BUSYBOX_IMAGE, Repo, docker, wait_for, web, word
from test_from_archive import own_address

REPOSITORIES = Path("/var/lib/minipaas/repos")
WORK = Path("/var/lib/minipaas/work")
SLOW = (
    f"FROM {BUSYBOX_IMAGE}\n"
    "COPY www /www\n"
    'RUN ["sleep", "SECONDS"]\n'
    'CMD ["sh", "-c", "exec httpd -f -p $PORT -h /www"]\n'
)


def slow_files(seconds: float, body: str) -> dict[str, str]:
    """An app whose build takes that long. The body is unique, so that no build cache knows it."""
    return {"Dockerfile": SLOW.replace("SECONDS", str(seconds)), "www___index__html": body}


# submodules


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def library(host, tmp_path):
    """A function that puts files into a new repository served over http, and returns its url and commit."""
    served = tmp_path / "served"
    served.mkdir()
    handler = functools.partial(Quiet, directory=served)
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def make(modules=None, **files):
        name = f"lib-{word()}"
        source = Repo(host, tmp_path / name, name, **files)
        add_submodules(source, modules or {})
        subprocess.run(["git", "clone", "-q", "--bare", source.folder, served / f"{name}.git"], check=True)
        subprocess.run(["git", "update-server-info"], cwd=served / f"{name}.git", check=True)
        return f"http://{own_address()}:{server.server_port}/{name}.git", source.git("rev-parse", "HEAD").stdout.strip()

    yield make
    server.shutdown()
    server.server_close()


def add_submodules(repo, modules):
    """Pin path -> (url, commit) in the repository without fetching anything."""
    for path, (url, commit) in modules.items():
        with (repo.folder / ".gitmodules").open("a") as file:
            file.write(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    repo.git("add", ".gitmodules", ok=False)
    repo.git("commit", "-q", "--allow-empty", "-m", "modules")


def test_submodules_are_fetched_also_nested_ones(host, app, repo, library):
    inner = library(**{"inner__txt": "from the inner one"})
    outer = library(modules={"inner": inner}, **{"outer__txt": "from the outer one"})
    add_submodules(repo, {"www/lib": outer})
    repo.push()
    name = host.url_host(app)
    assert host.get(name, "/lib/outer.txt") == (200, "from the outer one")
    assert host.get(name, "/lib/inner/inner.txt") == (200, "from the inner one")
    assert host.get(name) == (200, "hello from " + app)
    commit = library(**{"second__txt": "another"})
    repo.git("rm", "-q", "--cached", "www/lib")
    (repo.folder / ".gitmodules").unlink()
    add_submodules(repo, {"www/lib": commit})
    repo.push()
    assert host.get(name, "/lib/second.txt") == (200, "another") and host.get(name, "/lib/outer.txt")[0] == 404


def test_a_submodule_whose_commit_is_not_there_is_named(host, app, repo, library):
    url, _ = library(**{"a__txt": "a"})
    add_submodules(repo, {"lib": (url, "1" * 40)})
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "lib" in refused.stderr and "Traceback" not in refused.stderr
    assert releases(host, app)[0]["status"] == "failed"


def test_a_push_does_not_have_the_host_ask_itself(host, app, repo, library):
    """Neither git, for a submodule, nor docker, for ADD; also not when root builds it again."""
    url, commit = library(**{"a__txt": "a"})
    repo.push()
    server = url.split("/")[2]
    add_submodules(repo, {"www/lib": (url.replace(server.partition(":")[0], "localhost"), commit)})
    refused = repo.push(ok=False)
    assert (
        refused.returncode != 0
        and '"www/lib" cannot be fetched' in refused.stderr
        and "an address of this host itself" in refused.stderr
    )
    repo.git("reset", "-q", "--hard", "HEAD~1")
    text = (repo.folder / "Dockerfile").read_text()
    repo.commit(Dockerfile=f"{text}ENV OWN=127.0.0.1\nADD http://$OWN:{server.partition(':')[2]}/x /x\n")
    refused = repo.push("+main", ok=False)
    assert (
        refused.returncode != 0
        and "ADD in the Dockerfile cannot be done" in refused.stderr
        and "127.0.0.1" in refused.stderr
    )
    repo.commit(Dockerfile=f"{text}ADD {url}/HEAD /www/head\n")
    repo.push("+main")
    assert host.get(host.url_host(app), "/head")[1].startswith("ref: ")


@pytest.mark.parametrize(
    "url",
    [
        "file:///var/lib/minipaas/repos/demo.git",
        "/etc",
        "ext::sh -c id>/tmp/owned",
        "--upload-pack=id",
        "fd::17",
        "../other",
    ],
)
def test_submodules_from_elsewhere_are_refused(host, app, repo, url):
    add_submodules(repo, {"lib": (url, "1" * 40)})
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "submodule" in refused.stderr  # git itself refuses some of them
    assert host.containers(app, every=True) == []


# hostile trees


def tree(repo, *entries: tuple[str, str, str]) -> str:
    """A tree object of (mode, name, object) as no git would write it."""
    data = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(object) for mode, name, object in entries)
    done = subprocess.run(
        ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
        cwd=repo.folder,
        input=data,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()


def blob(repo, text: str) -> str:
    done = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=repo.folder, input=text, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


HOSTILE = {
    "a .git folder": lambda r, hook, folder: [("40000", ".git", folder)],
    "a .GIT folder": lambda r, hook, folder: [("40000", ".GIT", folder)],
    "a .git file": lambda r, hook, folder: [("100755", ".git", hook)],
    "two dots": lambda r, hook, folder: [("40000", "..", folder)],
    "a path as name": lambda r, hook, folder: [("100755", "../../../owned", hook)],
    "a link and a folder of one name": lambda r, hook, folder: [
        ("120000", "x", blob(r, "/tmp")),
        ("40000", "x", folder),
    ],
    ".gitmodules as a link": lambda r, hook, folder: [("120000", ".gitmodules", blob(r, "/etc/passwd"))],
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE)
def test_hostile_trees_are_refused_and_leave_nothing(host, app, repo, entries):
    hook = blob(repo, "#!/bin/sh\nid\n")
    folder = tree(repo, ("100755", "owned", hook))
    crafted = tree(repo, ("100644", "Dockerfile", blob(repo, f"FROM {BUSYBOX_IMAGE}\n")), *entries(repo, hook, folder))
    commit = repo.git("-c", "user.name=t", "commit-tree", "-m", "hostile", crafted).stdout.strip()
    repo.git("update-ref", "refs/heads/main", commit)
    refused = repo.push(ok=False)
    assert refused.returncode != 0
    kept = subprocess.run(["git", f"--git-dir={REPOSITORIES / app}.git", "cat-file", "-e", commit], capture_output=True)
    assert kept.returncode != 0 and app not in host.ssh("apps:list").stdout.split()
    nothing_left(host, app)


LINKS = {
    "www/leak": "/etc/passwd",
    "www/up": "../../../../../../etc",
    "down": "a/../../..",
    "overlay": "/etc/nginx/sites-available/x",
}


def test_links_wherever_they_lead_and_odd_names_arrive_in_the_image_as_they_are(host, app, repo):
    for path, target in LINKS.items():
        (repo.folder / path).symlink_to(target)
    for name in ("a\nb", "esc\x1b[2J", "caf\udce9"):
        (repo.folder / name).write_text(f"content of {len(name)}")
    repo.commit(
        Dockerfile=(
            f"FROM {BUSYBOX_IMAGE}\n"
            "COPY . /ctx\n"
            "COPY www /www\n"
            'CMD ["sh", "-c", "exec httpd -f -p 0.0.0.0:$PORT -h /www"]\n'
        )
    )
    pushed = repo.push()
    assert "\x1b[2J" not in pushed.stderr
    listing = host.ssh("run", app, "sh", "-c", "ls -l /ctx /ctx/www; cat /ctx/a?b /ctx/esc* /ctx/caf*").stdout
    for path, target in LINKS.items():
        assert f"{path.rpartition('/')[2]} -> {target}" in listing
    assert "content of 3" in listing and "content of 7" in listing and "content of 4" in listing


@pytest.mark.parametrize(
    "file", ["Dockerfile", "Procfile", "app.json", ".dockerignore", "Dockerfile.dockerignore", "copied"]
)
def test_no_link_has_the_host_read_a_file_of_its_own(host, app, repo, tmp_path, file):
    """Each is read by us, by the docker client or by the builder: none of them outside of what was pushed."""
    secret = Path(f"/tmp/{app}-secret")
    secret.write_text(f"FROM {BUSYBOX_IMAGE}\nENV LEAK=taken\nweb: taken\nwww\n")
    try:
        if file == "copied":
            repo.commit(Dockerfile=f"FROM {BUSYBOX_IMAGE}\nCOPY copied /taken\nCOPY www /www\n")
        (repo.folder / file).unlink(missing_ok=True)
        (repo.folder / file).symlink_to(secret)
        repo.commit()
        pushed = repo.push(ok=False)
    finally:
        secret.unlink()
    assert "taken" not in pushed.stderr.replace("/taken", "")
    if file in ("Dockerfile", "Procfile", "app.json", "copied"):
        assert pushed.returncode != 0 and file in pushed.stderr
        nothing_left(host, app)
    else:  # with `www` left out of the context COPY would fail
        assert pushed.returncode == 0 or "symbolic link" in pushed.stderr, pushed.stderr


def test_folders_a_thousand_deep_are_refused_and_a_left_one_blocks_nothing(host, app, repo):
    repo.push()
    inner = tree(repo, ("100644", "f", blob(repo, "x")))
    for _ in range(1100):
        inner = tree(repo, ("40000", "d", inner))
    crafted = tree(repo, ("100644", "Dockerfile", blob(repo, f"FROM {BUSYBOX_IMAGE}\n")), ("40000", "deep", inner))
    commit = repo.git("commit-tree", "-m", "deep", "-p", "HEAD", crafted).stdout.strip()
    refused = repo.git("push", "paas", f"{commit}:main", ok=False)
    assert refused.returncode != 0 and "lies deeper than 99 folders" in refused.stderr
    left = Path(f"/var/lib/minipaas/work/{app}.v2")  # what an earlier version left of such a push
    subprocess.run(
        [
            "runuser",
            "-u",
            "paas",
            "--",
            "sh",
            "-c",
            f"mkdir {left} && cd -P {left} && i=0 && while [ $i -lt 1100 ]; do mkdir d && cd -P d && i=$((i+1)); done",
        ],
        check=True,
    )
    repo.commit(www___index__html="after")
    repo.push()
    assert host.get(host.url_host(app)) == (200, "after") and not left.exists()


# clients that hang up


def releases(host, app):
    return json.loads(host.ssh("releases", app, "--format", "json").stdout)


def nothing_left(host, app):
    """No process, image, lock or build folder of the app."""
    assert host.containers(app, every=True) == []
    assert docker("images", "-q", f"minipaas/{app}").strip() == ""
    assert not list(WORK.glob(f"{app}-*"))
    assert host.ssh("apps:locked", app, ok=False).returncode == 1
    return True


def git_environment(host):
    return os.environ | {"GIT_SSH_COMMAND": shlex.join(host.ssh_command()), "GIT_CONFIG_GLOBAL": "/dev/null"}


@contextlib.contextmanager
def pushing(repo, ref="main"):
    """A git push in a process group of its own, with its output in a file; killed at the end if it still runs."""
    log = repo.folder.parent / f"push-{word()}.log"
    with log.open("w") as file:
        push = subprocess.Popen(
            ["git", "push", "paas", ref],
            cwd=repo.folder,
            env=git_environment(repo.host),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    push.said = log.read_text
    try:
        yield push
    finally:
        hang_up(push)


def hang_up(push):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(push.pid, signal.SIGKILL)
    push.wait(10)


def server_side(app) -> list[int]:
    """The processes on the host that deploy the app's push."""
    found = subprocess.run(["pgrep", "-f", f"minipaas.* git:pre-receive {app}$"], capture_output=True, text=True).stdout
    return [pid for pid in map(int, found.split()) if not retires(pid)]


def retires(pid: int) -> bool:
    """Whether the process is what a deploy leaves behind to stop the old ones in time: it leads its own session."""
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid) == pid
    return True


def is_built(push):
    return "sleep" in push.said()


def test_a_client_that_hangs_up_during_the_build_leaves_nothing(host, app, repo):
    host.ssh("apps:create", app)
    repo.commit(**slow_files(47.11, word()))
    with pushing(repo) as push:
        wait_for(lambda: is_built(push), 20)
        hang_up(push)
    wait_for(lambda: not server_side(app), 15)
    nothing_left(host, app)
    assert subprocess.run(["pgrep", "-f", "^sleep 47.11"], capture_output=True).returncode != 0
    assert all(release["status"] == "failed" for release in releases(host, app))
    assert repo.git("ls-remote", "paas").stdout == ""
    repo.commit(**web("afterwards"))
    repo.push()
    assert host.get(host.url_host(app)) == (200, "afterwards")


def test_a_first_push_that_is_cancelled_leaves_no_app(host, app, repo):
    repo.commit(**slow_files(47.12, word()))
    with pushing(repo) as push:
        wait_for(lambda: is_built(push), 20)
        assert app in host.ssh("apps:list").stdout.split()
        hang_up(push)
    wait_for(lambda: app not in host.ssh("apps:list").stdout.split(), 20)
    wait_for(lambda: not server_side(app), 15)
    nothing_left(host, app)
    assert not (REPOSITORIES / f"{app}.git").exists()


def test_a_client_that_hangs_up_while_processes_start_changes_nothing(host, app, repo):
    repo.push()
    before = repo.git("ls-remote", "paas").stdout
    repo.commit(Procfile="web: sleep 30; exec httpd -f -p $PORT -h /www\n", www___index__html="never")
    with pushing(repo) as push:
        wait_for(lambda: "Starting web.1" in push.said(), 30)
        hang_up(push)
    wait_for(lambda: not server_side(app), 20)
    wait_for(lambda: host.containers(app, every=True) == [f"{app}_v1.web.1"], 10)
    assert host.get(host.url_host(app)) == (200, "hello from " + app)
    assert repo.git("ls-remote", "paas").stdout == before
    assert host.ssh("apps:locked", app, ok=False).returncode == 1


def test_a_client_that_hangs_up_after_traffic_moved_lets_the_deploy_finish(host, app, repo):
    repo.push()
    name = host.url_host(app)
    branch = ["git", f"--git-dir={REPOSITORIES / app}.git", "rev-parse", "main"]
    for turn in range(8):  # until the hang-up came between the first new page and the end of the push
        body = f"turn {turn}"
        repo.commit(www___index__html=body)
        commit = repo.git("rev-parse", "HEAD").stdout.strip()
        with pushing(repo) as push:
            wait_for(lambda body=body: host.get(name)[1] == body, 30, every=0.002)
            stopped = server_side(app)
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            moved = subprocess.run(branch, capture_output=True, text=True, check=True).stdout.strip() == commit
            hang_up(push)
            time.sleep(0.3)
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        if stopped and not moved:
            break
    else:
        pytest.skip("the window was never met")
    wait_for(lambda: subprocess.run(branch, capture_output=True, text=True, check=True).stdout.strip() == commit, 20)
    wait_for(lambda: not server_side(app), 10)
    live = releases(host, app)[0]
    assert live["status"] == "live" and host.get(name) == (200, body)
    assert f"{app}_{live['v']}.web.1" in host.containers(app)
    assert host.ssh("apps:locked", app, ok=False).returncode == 1
    assert "up-to-date" in repo.push().stderr


# others at the same time


@pytest.mark.serial
def test_a_second_push_and_other_changes_are_refused_at_once_while_a_push_goes_on(host, app, repo, tmp_path):
    repo.push()
    second = Repo(host, tmp_path / "second", app, **web("second"))
    body = "first " + word()
    repo.commit(**slow_files(8, body))
    with pushing(repo) as push:
        wait_for(lambda: is_built(push), 20)
        start = time.monotonic()
        refused = second.git("push", "-f", "paas", "main", ok=False)
        assert refused.returncode != 0 and host.key_name in refused.stderr and "'git push'" in refused.stderr
        busy = {}
        for words in (
            ["ps:scale", app, "web=2"],
            ["config:set", app, "A=1"],
            ["domains:add", app, f"{app}.busy.test"],
            ["ps:restart", app],
            ["apps:destroy", "--force", app],
        ):
            busy[words[0]] = host.ssh(*words, ok=False)
        assert time.monotonic() - start < 6, "each is refused at once"
        assert {done.returncode for done in busy.values()} == {75} and all(
            host.key_name in done.stderr for done in busy.values()
        )
        assert host.ssh("apps:locked", app).returncode == 0
        assert host.get(host.url_host(app)) == (200, "hello from " + app)
        assert "git push -o wait" in refused.stderr and "--wait" not in refused.stderr
        later = copy.copy(repo)
        later.folder = shutil.copytree(repo.folder, tmp_path / "later")
        later.commit(**web("second"))
        waiting = subprocess.Popen(
            ["git", "push", "-o", "wait=90", "paas", "main"],
            cwd=later.folder,
            env=git_environment(host),
            stderr=subprocess.PIPE,
            text=True,
        )
        patient = subprocess.Popen(
            [*host.ssh_command(), "paas@127.0.0.1", f"config:set --wait {app} A=1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert push.wait(60) == 0 and patient.wait(60) == 0
        said = waiting.communicate(timeout=90)[1]
        assert waiting.returncode == 0 and "waiting for it, 90 seconds at most" in said
    assert host.get(host.url_host(app)) == (200, "second")
    assert host.ssh("config:get", app, "A").stdout == "1\n"
    assert [(row["v"], row["status"]) for row in releases(host, app)] == [
        ("v4", "live"),
        *((f"v{number}", "superseded") for number in (3, 2, 1)),
    ]


def test_a_locked_app_refuses_a_push_and_config_with_the_message(host, app, repo):
    repo.push()
    host.ssh("apps:lock", app, "-m", "moving the database")
    repo.commit(www___index__html="never")
    refused = repo.push(ok=False)
    assert (
        refused.returncode != 0 and "moving the database" in refused.stderr and f"apps:unlock {app}" in refused.stderr
    )
    assert host.ssh("config:set", app, "A=1", ok=False).returncode == 75
    assert host.get(host.url_host(app)) == (200, "hello from " + app) and len(releases(host, app)) == 1
    host.ssh("apps:unlock", app)
    repo.push()
    assert host.get(host.url_host(app)) == (200, "never")

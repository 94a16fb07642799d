"""Docker, nginx or the disk gives out in the middle of a deploy: one clear error, nothing lost, the site comes back."""

import random
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import BUSYBOX_IMAGE, docker, wait_for, web
from test_full_disk import fill, small_disk
from test_reboot import start_docker, start_nginx, stop_docker, stop_nginx

pytestmark = [pytest.mark.serial, pytest.mark.one_host]  # it stops docker and nginx, and fills disks

STATE = Path("/var/lib/minipaas/state")
WORK = Path("/var/lib/minipaas/work")
SECONDS = f"25.{random.randrange(10**6):06}"  # in the name of the process, and new to the build cache
SLOW_BUILD = f"FROM {BUSYBOX_IMAGE}\nRUN sleep {SECONDS}\nCOPY www /www\nCMD httpd -f -p $PORT -h /www\n"


class Push(threading.Thread):
    """A push in the background, and what it said."""

    def __init__(self, repo):
        super().__init__()
        self._repo, self.done = repo, None
        self.start()

    def run(self):
        self.done = self._repo.push(ok=False, timeout=150)

    def refused(self, *words: str) -> str:
        self.join(160)
        said = self.done.stderr
        assert self.done.returncode != 0, said
        assert "Traceback" not in said and "itself failed" not in said, said
        assert any(word in said for word in words), said
        return said


def good_again(host, app, repo) -> None:
    """The old site answers by itself, and the next push works and leaves nothing behind."""
    name = host.url_host(app)
    wait_for(lambda: host.get(name)[0] == 200, 40)
    assert host.get(name)[1] == f"hello from {app}"
    host.ssh("checks:set", app, "wait-to-retire", "1")
    repo.commit(**web("after it"))
    repo.push()
    assert host.get(name) == (200, "after it")
    live = host.ssh("releases", app).stdout
    wait_for(lambda: len(host.containers(app, every=True)) == 1, 60)
    assert "failed" in live and not list(WORK.glob(f"{app}-*"))


def building() -> bool:
    return subprocess.run(["pgrep", "-f", f"sleep {SECONDS}"], capture_output=True).returncode == 0


def starting(app: str) -> bool:
    return len(docker("ps", "-q", "--filter", f"label=minipaas.app={app}").split()) == 2


@pytest.mark.restarts_docker
def test_docker_stops_during_the_build(host, app, repo):
    repo.push()
    repo.commit(Dockerfile=SLOW_BUILD)
    push = Push(repo)
    wait_for(building, 40)
    stop_docker()
    try:
        said = push.refused("docker does not answer", "the build failed")
        assert host.ssh("apps:list").returncode == 0, said
    finally:
        start_docker()
    good_again(host, app, repo)


@pytest.mark.restarts_docker
def test_docker_stops_while_processes_start(host, app, repo):
    repo.push()
    repo.commit(**web("slow to start", command="sleep 30; exec httpd -f -p 0.0.0.0:$PORT -h /www"))
    push = Push(repo)
    wait_for(lambda: starting(app), 40)
    stop_docker()
    try:
        push.refused("docker does not answer")
    finally:
        start_docker()
    good_again(host, app, repo)


@pytest.mark.restarts_docker
def test_nginx_stops_while_processes_start(host, app, repo):
    repo.push()
    repo.commit(**web("slow to start", command="sleep 6; exec httpd -f -p 0.0.0.0:$PORT -h /www"))
    push = Push(repo)
    wait_for(lambda: starting(app), 40)
    stop_nginx()
    try:
        push.refused("nginx")
    finally:
        start_nginx()
    good_again(host, app, repo)


def test_the_disk_fills_up_during_the_build(host, app, repo, tmp_path):
    """The folder of build contexts is full before the commit is unpacked."""
    repo.push()
    repo.commit(**{"big": "x" * (3 << 20)})
    (tmp_path / "beneath").mkdir()
    with small_disk(WORK, "2m", tmp_path / "beneath"):
        push = Push(repo)
        push.refused("no space left", "No space left")
    repo.git("rm", "-q", "big")
    good_again(host, app, repo)


def test_the_disk_of_the_state_fills_up_while_processes_start(host, app, repo, tmp_path):
    repo.push()
    repo.commit(**web("slow to start", command="sleep 6; exec httpd -f -p 0.0.0.0:$PORT -h /www"))
    (tmp_path / "beneath").mkdir()
    with small_disk(STATE, "8m", tmp_path / "beneath"):
        push = Push(repo)
        wait_for(lambda: starting(app), 40)
        fill(STATE)
        said = push.refused("no space left")
        assert host.get(host.url_host(app))[0] == 200, said
    good_again(host, app, repo)

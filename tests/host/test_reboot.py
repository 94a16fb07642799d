"""After docker and nginx stopped and started again, as at a reboot, every domain serves its own live app."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Repo, docker, wait_for, web

from tests import kill_points

pytestmark = [pytest.mark.serial, pytest.mark.one_host]  # it stops docker and nginx


def running(name: str) -> bool:
    return subprocess.run(["pgrep", "-x", name], capture_output=True).returncode == 0


def systemd() -> bool:
    return os.path.isdir("/run/systemd/system")


def stop_docker() -> None:
    if systemd():
        subprocess.run(["systemctl", "stop", "docker.socket", "docker"], check=True)
        subprocess.run(
            ["systemctl", "reset-failed", "docker.socket", "docker"], capture_output=True
        )  # 3 starts a minute
        return
    pid = int(Path("/var/run/docker.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 60)


def power_off() -> None:
    """Stop docker and end all containers, which run on without it, as the end of a machine does."""
    running = docker("ps", "-q").split()
    pids = docker("inspect", "-f", "{{.State.Pid}}", *running).split() if running else []
    stop_docker()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 20)


def start_docker() -> None:
    if systemd():
        subprocess.run(["systemctl", "start", "docker"], check=True)
    else:
        with open("/var/log/minipaas-dockerd.log", "ab") as log:
            # forked off: as our child it would stay a zombie when it is stopped
            subprocess.run(
                ["setsid", "--fork", "dockerd"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=True
            )
    wait_for(lambda: subprocess.run(["/usr/bin/docker", "info"], capture_output=True).returncode == 0, 60)


def stop_nginx() -> None:
    subprocess.run(["systemctl", "stop", "nginx"] if systemd() else ["nginx", "-s", "stop"], check=True)
    wait_for(lambda: not running("nginx"), 20)


def start_nginx() -> None:
    subprocess.run(["systemctl", "start", "nginx"] if systemd() else ["nginx"], check=True)


@pytest.fixture
def reboot():
    """Stop both and start both, in the worse order."""

    def boot() -> None:
        stop_nginx()
        power_off()
        start_nginx()
        start_docker()

    yield boot
    if not running("nginx"):
        start_nginx()
    if not running("dockerd"):
        start_docker()


@pytest.mark.restarts_docker
def test_every_domain_serves_its_own_app_after_a_reboot(host, app, other_app, repo, tmp_path, reboot):
    repo.push()
    second = Repo(host, tmp_path / "second", other_app, **web("second app"))
    second.push()
    stopped = f"{app}-off"
    third = Repo(host, tmp_path / "third", stopped, **web("off"))
    third.push()
    try:
        host.ssh("ps:stop", stopped)
        repo.commit(www___index__html="newest")
        repo.push()  # v1 is still draining
        names = host.url_host(app), host.url_host(other_app), host.url_host(stopped)
        before = {name: addresses(name) for name in (f"{app}_v2.web.1", f"{other_app}_v1.web.1")}
        reboot()
        wait_for(lambda: host.get(names[0])[0] == 200 and host.get(names[1])[0] == 200, 30)
        assert host.get(names[0]) == (200, "newest")
        assert host.get(names[1]) == (200, "second app")
        assert host.get(names[2])[0] == 503
        assert {name: addresses(name) for name in before} == before
        assert host.containers(app) == [f"{app}_v2.web.1"]
        assert host.containers(stopped) == []
    finally:
        host.ssh("apps:destroy", stopped, "--force", "--now")


@pytest.mark.skipif(not systemd(), reason="without systemd there is no unit")
def test_the_unit_of_the_boot_is_enabled_and_puts_right_what_was_interrupted(host, app, repo):
    assert subprocess.run(["systemctl", "is-enabled", "-q", "minipaas-restore"]).returncode == 0
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "3")
    repo.push()
    name = host.url_host(app)
    faults = Path("/var/lib/minipaas", kill_points.FAULTS)
    faults.write_text(f"{app} 5 before\n")
    shutil.chown(faults, "paas", "paas")
    repo.commit(www___index__html="killed")
    with kill_points.program():
        assert repo.push(ok=False).returncode != 0
    faults.unlink()
    assert "a command was killed" in host.ssh("doctor", ok=False).stdout
    docker("rm", "-f", f"{app}_v1.web.1")
    subprocess.run(["systemctl", "start", "minipaas-restore"], check=True)
    assert host.get(name) == (200, "hello from " + app) and host.containers(app) == [f"{app}_v1.web.1"]
    assert "a command was killed" not in host.ssh("doctor", ok=False).stdout
    host.ssh("ps:restart", app)
    subprocess.run(["systemctl", "start", "minipaas-restore"], check=True)
    assert len(host.containers(app)) == 2, "what retires is left its time"
    wait_for(lambda: len(host.containers(app, every=True)) == 1, 15)


def addresses(name: str) -> str:
    return docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name).strip()


@pytest.mark.restarts_docker
def test_docker_stopped_gets_one_clear_sentence(host, app, repo, reboot):
    repo.push()
    name = host.url_host(app)
    stop_docker()
    try:
        for words in (["ps:restart", app], ["logs", app], ["config:set", app, "A=1"]):
            done = host.ssh(*words, ok=False)
            assert done.returncode == 1 and "docker" in done.stderr and "Traceback" not in done.stderr
        assert "unknown: docker" in host.ssh("ps:report", app).stdout
        assert host.get(name)[0] == 200, "processes run on without docker"
        repo.commit(www___index__html="new")
        pushed = repo.push(ok=False)
        assert pushed.returncode != 0 and "docker" in pushed.stderr
        assert host.ssh("apps:list").stdout  # what needs no docker works
        broken = host.ssh("doctor", ok=False)
        assert broken.returncode == 1 and "docker" in broken.stdout
    finally:
        start_docker()
    wait_for(lambda: host.get(name)[0] == 200, 30)
    assert host.ssh("config:keys", app).stdout == ""
    repo.push()
    assert host.get(name) == (200, "new")


def test_nginx_stopped_gets_one_clear_sentence(host, app, repo, reboot):
    repo.push()
    name = host.url_host(app)
    stop_nginx()
    try:
        repo.commit(www___index__html="new")
        pushed = repo.push(ok=False)
        assert pushed.returncode != 0 and "nginx" in pushed.stderr
        done = host.ssh("domains:add", app, f"x.{app}.test", ok=False)
        assert done.returncode == 1 and "nginx" in done.stderr
        assert "nginx" in host.ssh("doctor", ok=False).stdout
    finally:
        start_nginx()
    time.sleep(0.5)
    assert host.get(name) == (200, "hello from " + app)
    repo.push()
    assert host.get(name) == (200, "new")

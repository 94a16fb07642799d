"""dockerd is killed, restarted or upgraded: sites go on or come back by themselves, and what was stopped stays so."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Load, Repo, docker, wait_for, web
from test_reboot import start_docker, stop_docker, systemd

pytestmark = [pytest.mark.restarts_docker, pytest.mark.one_host]

HELPER = "/usr/local/lib/minipaas/live-restore"
SETTINGS = Path("/etc/docker/daemon.json")


def kill_docker() -> None:
    """As the kernel does when memory runs out; systemd starts it again, elsewhere we do."""
    if systemd():  # which gives up after a few in a minute
        subprocess.run(["systemctl", "reset-failed", "docker"], check=True)
    pid = int(Path("/run/docker.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 10)
    if not systemd():
        Path("/run/docker.pid").unlink(missing_ok=True)
        Path("/run/docker/containerd/containerd.pid").unlink(missing_ok=True)
        start_docker()


def answers() -> bool:
    return subprocess.run(["/usr/bin/docker", "version"], capture_output=True).returncode == 0


def policy(container: str) -> str:
    return docker("inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", container).strip()


def pid_of(container: str) -> int:
    return int(docker("inspect", "-f", "{{.State.Pid}}", container))


def live_restore() -> bool:
    return docker("info", "-f", "{{.LiveRestoreEnabled}}").strip() == "true"


@pytest.fixture
def without_live_restore():
    """A host whose docker does not keep processes running, by reload."""
    assert live_restore(), "install.sh has set it"
    before = pid_of_docker(), SETTINGS.read_text()
    subprocess.run([HELPER, "off"], capture_output=True)
    assert not live_restore() and pid_of_docker() == before[0]
    assert "live-restore" not in (SETTINGS.read_text() if SETTINGS.exists() else "")
    yield
    assert subprocess.run([HELPER, "on"], capture_output=True).returncode == 3
    assert live_restore() and SETTINGS.read_text() == before[1]


def pid_of_docker() -> str:
    return Path("/run/docker.pid").read_text()


def test_no_request_is_lost_while_docker_is_killed_and_restarted(host, app, repo):
    repo.push()
    name = host.url_host(app)
    before = pid_of(f"{app}_v1.web.1")
    with Load(host, name).running() as load:
        kill_docker()
        wait_for(answers, 30)
        stop_docker()  # as an upgrade of its package does
        start_docker()
        wait_for(answers, 30)
    assert load.failed == [] and load.done > 20
    assert pid_of(f"{app}_v1.web.1") == before
    docker("kill", "--signal", "HUP", f"{app}_v1.web.1")  # which docker takes for a stop by hand
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: pid_of(f"{app}_v1.web.1") not in (0, before), 10)
    wait_for(lambda: host.get(name)[0] == 200, 10)


def test_sites_of_the_version_before_come_back_after_an_upgrade_and_a_kill(
    host, app, other_app, repo, tmp_path, without_live_restore
):
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "60")
    repo.push()
    repo.commit(www___index__html="newest")
    repo.push()
    Repo(host, tmp_path / "second", other_app, **web("off")).push()
    host.ssh("ps:stop", other_app)
    live, retiring = f"{app}_v2.web.1", f"{app}_v1.web.1"
    docker("update", "--restart", "unless-stopped", live)  # as versions before had it
    before = pid_of(live)
    subprocess.run(["minipaas", "install:finish"], check=True, capture_output=True)  # which install.sh calls
    assert (policy(live), policy(retiring), pid_of(live)) == ("always", "no", before)
    docker("kill", "--signal", "CONT", live)
    kill_docker()
    wait_for(answers, 30)
    name, begun = host.url_host(app), time.monotonic()
    wait_for(lambda: host.get(name) == (200, "newest"), 10)
    assert time.monotonic() - begun < 10
    assert host.containers(app) == [live] and host.containers(other_app, every=True) == []
    assert host.get(host.url_host(other_app))[0] == 503
    host.ssh("checks:set", app, "wait-to-retire", "1")
    host.ssh("apps:destroy", app, "--force", "--now")

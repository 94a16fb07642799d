"""A build that eats memory is killed at its cap, whoever makes docker's cgroups, and running apps go on."""

import os
import subprocess

import pytest
from conftest import BUSYBOX_IMAGE, Load, Repo, docker, wait_for, web
from test_reboot import start_docker, stop_docker, systemd

pytestmark = pytest.mark.serial  # it sets a limit for all builds, and measures

DROP_IN = "/etc/systemd/system/docker.service.d/minipaas-test.conf"
FILES = {"Dockerfile": f'FROM {BUSYBOX_IMAGE}\nRUN x=$(head -c 400m /dev/zero | tr "\\0" x); echo never\n'}


@pytest.fixture
def capped(host):
    subprocess.run(["minipaas", "guard:set", "--global", "build-memory", "150m"], check=True, capture_output=True)
    yield
    subprocess.run(["minipaas", "guard:set", "--global", "build-memory", "off"], check=True, capture_output=True)
    subprocess.run(["minipaas", "guard:set", "--global", "build-memory"], check=True, capture_output=True)


def starve(host, app: str, repo: Repo, other_app: str, tmp_path) -> None:
    """Push a working app, then one whose build eats more than it may."""
    repo.push()
    hungry = Repo(host, tmp_path / "hungry", other_app, **FILES)
    with Load(host, host.url_host(app)).running() as load:
        pushed = hungry.push(ok=False)
    assert pushed.returncode != 0, "it may eat all"
    assert "builds may use 150 MB of memory" in pushed.stderr
    assert "exit code 137" in pushed.stderr and "lack of memory" in pushed.stderr
    assert load.failed == [] and load.done > 0
    hungry.commit(**web("modest"))
    hungry.push()
    assert host.get(host.url_host(other_app)) == (200, "modest")


def test_a_build_that_eats_memory_is_killed_and_nothing_else(host, app, other_app, repo, tmp_path, capped):
    starve(host, app, repo, other_app, tmp_path)
    report = host.ssh("guard:report", other_app).stdout
    assert "noted" in report and "150 MB" in report


@pytest.mark.restarts_docker
@pytest.mark.skipif(not systemd(), reason="docker's cgroups are made by systemd only where systemd runs")
def test_so_it_is_where_systemd_makes_the_cgroups(host, app, other_app, repo, tmp_path, capped):
    driver = "cgroupfs" if docker("info", "--format", "{{.CgroupDriver}}").strip() == "systemd" else "systemd"
    os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
    with open(DROP_IN, "w") as file:
        command = f"/usr/sbin/dockerd -H fd:// --exec-opt native.cgroupdriver={driver}"
        file.write(f"[Service]\nExecStart=\nExecStart={command}\n")
    try:
        restart(driver)
        starve(host, app, repo, other_app, tmp_path)
        subprocess.run(["minipaas", "apps:destroy", app, "--force"], check=True, capture_output=True)
    finally:
        os.unlink(DROP_IN)
        restart("")


def restart(driver: str) -> None:
    """Docker keeps no container over a change of its driver, so all are gone first; ours come back with ps:restore."""
    stop_docker()
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    start_docker()
    wait_for(lambda: driver in docker("info", "--format", "{{.CgroupDriver}}"), 30)


def test_a_build_that_would_not_get_by_is_refused_before_it_begins(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("guard:set", app, "min-free-memory", "900g")
    pushed = repo.push(ok=False)
    assert pushed.returncode != 0 and "is not built: it needs 900.0 GB of memory" in pushed.stderr
    assert "guard:set" in pushed.stderr and "[1/" not in pushed.stderr
    host.ssh("guard:set", app, "min-free-memory")
    repo.push()
    assert host.get(host.url_host(app))[0] == 200

"""Apps are kept from each other, and from the host."""

import json

import pytest
from conftest import Repo, docker, web


@pytest.fixture
def two(host, app, other_app, tmp_path):
    """The docker's view of one process of each of two apps."""
    Repo(host, tmp_path / "one", app, **web("one")).push()
    Repo(host, tmp_path / "two", other_app, **web("two")).push()
    return [json.loads(docker("inspect", f"{name}_v1.web.1"))[0] for name in (app, other_app)]


def address(inspected):
    (network,) = inspected["NetworkSettings"]["Networks"].values()
    return network["IPAddress"]


@pytest.mark.one_host
def test_an_app_cannot_reach_anothers_address_and_the_host_can(host, app, other_app, two):
    mine, others = map(address, two)
    assert host.get("any", address=others, port=5000) == (200, "two")
    assert host.get("any", address=mine, port=5000) == (200, "one")
    assert asked(host, "enter", app, "web", mine) == (0, "one")  # the same words reach what may be reached
    for command in (["enter", app, "web"], ["run", app]):  # nor can a one-off
        status, body = asked(host, *command, others)
        assert status != 0 and body == ""
    status, body = asked(host, "enter", other_app, "web", mine)
    assert status != 0 and body == ""


def asked(host, *words):
    """What comes back when the page at an address is asked for from inside: exit status and body."""
    *command, target = words
    done = host.ssh(*command, "sh", "-c", f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {target} 5000", ok=False)
    return done.returncode, done.stdout.rpartition("\r\n\r\n")[2]


@pytest.mark.one_host
def test_nothing_of_an_app_listens_on_the_host(two):
    for inspected in two:
        assert not inspected["HostConfig"]["PortBindings"] and not inspected["HostConfig"]["PublishAllPorts"]


def test_processes_are_confined(two):
    for inspected in two:
        how = inspected["HostConfig"]
        assert "no-new-privileges" in " ".join(how["SecurityOpt"]) and not how["Privileged"]
        assert how["Init"] is True and 0 < how["PidsLimit"] <= 4096
        assert how["LogConfig"]["Type"] == "json-file" and {"max-size", "max-file"} <= set(how["LogConfig"]["Config"])
        assert not how["Binds"] and not inspected["Mounts"], "nothing of the host is inside"
        assert "NET_RAW" in how["CapDrop"] and not how["CapAdd"]


def test_the_limits_hold_inside(host, app, two):
    status = host.ssh("enter", app, "web", "cat", "/proc/self/status").stdout
    assert "NoNewPrivs:\t1" in status
    first = host.ssh("enter", app, "web", "cat", "/proc/1/cmdline").stdout
    assert "init" in first.split("\0")[0] and "httpd" not in first.split("\0")[0]
    assert host.ssh("run", app, "ls", "/var/lib/minipaas", ok=False).returncode != 0
    assert host.ssh("run", app, "ls", "/var/run/docker.sock", ok=False).returncode != 0
    confined = host.ssh("run", app, "cat", "/proc/self/status").stdout
    assert "NoNewPrivs:\t1" in confined


def test_labels_of_an_image_neither_hide_a_process_nor_give_it_to_another_app(host, app, other_app, tmp_path):
    """As LABEL in a Dockerfile makes them."""
    forged = {
        "node": "1",
        "app": other_app,
        "run": other_app,
        "release": "7",
        "process": "x",
        "index": "9",
        "owner": "",
        "detached": "5",
        "until": "1",
        "restart": "no",
        "launcher": "/bin/false",
        "buildpack-build": other_app,
    }
    lines = "".join(f'LABEL minipaas.{name}="{value}"\n' for name, value in forged.items())
    host.ssh("apps:create", other_app)
    files = web("labelled")
    Repo(host, tmp_path / "repo", app, **files | {"Dockerfile": files["Dockerfile"] + lines}).push()
    name = f"{app}_v1.web.1"
    assert host.ssh("ps:report", app, "--running").stdout == "true\n" and host.containers(app) == [name]
    assert json.loads(docker("inspect", name))[0]["HostConfig"]["RestartPolicy"]["Name"] in (
        "always",
        "no",
    )  # no: on nodes
    for words in (["run:list", other_app], ["run:list", app]):
        assert name not in host.ssh(*words).stdout
    assert host.ssh("run", app, "echo", "done").stdout == "done\n"
    number = host.ssh("run:detached", app, "sleep", "60").stdout.strip()
    assert number in host.ssh("run:list", app).stdout and number not in host.ssh("run:list", other_app).stdout
    host.ssh("run:list", other_app)  # each of them tidies up
    host.ssh("ps:stop", app)
    assert host.containers(app, every=True) == [] and host.containers(other_app, every=True) == []
    assert host.ssh("run:stop", app, number).returncode == 0

import json

import pytest

from minipaas_lib import api, errors
from minipaas_lib.model import labels
from minipaas_lib.model.process import ContainerSpec
from plugins.scheduler_docker import containers


def spec(**changes):
    values = dict(
        name="blog_v3.web.1",
        app="blog",
        release=3,
        process_type="web",
        index=1,
        image="sha256:1",
        command="serve $PORT",
        environment={"PORT": "5000", "B": "x y\n$z"},
        port=5000,
    )
    return ContainerSpec(**(values | changes))


def answer(**changes):
    """What docker says of a running container, shortened."""
    values = {
        "Id": "f00",
        "Name": "/blog_v3.web.1",
        "State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-31T10:20:30.123456789Z"},
        "Config": {
            "Env": ["PORT=5000", "SECRET=a=b"],
            "Labels": {
                "minipaas.app": "blog",
                "minipaas.release": "3",
                "minipaas.process": "web",
                "minipaas.index": "1",
                "minipaas.port": "5000",
                "minipaas.restart": "unless-stopped",
            },
        },
        "HostConfig": {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}},
        "NetworkSettings": {"Networks": {"minipaas": {"IPAMConfig": {"IPv4Address": "10.87.0.2"}, "IPAddress": ""}}},
    }
    return json.loads(json.dumps(values)) | changes


def test_body_of_a_process():
    body = containers.body(spec(stop_timeout=60), "minipaas", "10.87.0.2")
    assert body["Image"] == "sha256:1"
    assert body["Cmd"] == ["/bin/sh", "-c", "serve $PORT"]
    assert "Entrypoint" not in body
    assert body["Env"] == ["B=x y\n$z", "PORT=5000"]
    assert body["StopTimeout"] == 60
    assert {name: value for name, value in body["Labels"].items() if value} == {
        "minipaas.app": "blog",
        "minipaas.release": "3",
        "minipaas.process": "web",
        "minipaas.index": "1",
        "minipaas.port": "5000",
        "minipaas.restart": "always",
    }
    assert body["StopSignal"] == "SIGTERM"
    assert containers.body(spec(), "minipaas", stop_signal="SIGQUIT")["StopSignal"] == "SIGQUIT"
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"minipaas": {"IPAMConfig": {"IPv4Address": "10.87.0.2"}}}}


def test_host_part():
    host = containers.body(
        spec(memory=1 << 20, cpus=0.1, pids_limit=9, mounts=(("/data", "/var/data", "ro"),)), "minipaas", "10.87.0.2"
    )["HostConfig"]
    assert host["Init"] is True
    assert host["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["CapDrop"] == ["NET_RAW"]
    assert (host["PidsLimit"], host["Memory"], host["NanoCpus"]) == (9, 1 << 20, 100_000_000)
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert host["Mounts"] == [{"Type": "bind", "Source": "/data", "Target": "/var/data", "ReadOnly": True}]
    assert "AutoRemove" not in host


@pytest.mark.parametrize(
    ("command", "words"),
    [("", None), ("a && b", ["/bin/sh", "-c", "a && b"]), (("ls", "-l", "a b"), ["ls", "-l", "a b"]), ((), None)],
)
def test_command(command, words):
    assert containers.body(spec(command=command), "n", "10.87.0.2").get("Cmd") == words


def test_a_process_on_a_node_is_reached_at_published_ports():
    made = containers.body(spec(ports=(5000, 9090)), "minipaas", published_at="192.0.2.7")
    anywhere = [{"HostIp": "192.0.2.7", "HostPort": ""}]
    assert made["HostConfig"]["PortBindings"] == {"5000/tcp": anywhere, "9090/tcp": anywhere}
    assert made["ExposedPorts"] == {"5000/tcp": {}, "9090/tcp": {}}
    assert made["NetworkingConfig"] == {"EndpointsConfig": {"minipaas": {}}}, "docker gives it some address"

    there = answer(HostConfig=made["HostConfig"] | {"RestartPolicy": {"Name": "no"}})
    there["NetworkSettings"]["Ports"] = {
        "9090/tcp": [{"HostIp": "192.0.2.7", "HostPort": "49155"}],
        "5000/tcp": [{"HostIp": "192.0.2.7", "HostPort": "49154"}],
        "80/tcp": None,
    }
    process = containers.process(there, "minipaas")
    assert process.backend == api.Backend("192.0.2.7", ((5000, 49154), (9090, 49155)), process.name)
    there["NetworkSettings"]["Ports"] = {}
    assert containers.process(there, "minipaas").backend == api.Backend("192.0.2.7", (), process.name)


@pytest.mark.parametrize(
    "made",
    [
        containers.body(spec(), "minipaas", "10.87.0.2"),
        containers.body(spec(), "minipaas", published_at="192.0.2.7"),
        containers.one_off_body(spec(), "minipaas", interactive=False, tty=False, owner="b:1:2"),
        containers.detached_body(spec(), "minipaas", 1, 0, "b:1:2"),
    ],
)
def test_no_label_of_ours_comes_from_the_image(made):
    """What docker does with them: the image's, and over them those of the body."""
    every = [value for name, value in vars(labels).items() if name.isupper() and isinstance(value, str)]
    assert len(every) > 10 and set(every) <= made["Labels"].keys()
    hostile = dict.fromkeys(every, "1") | made["Labels"]
    assert hostile == made["Labels"]
    assert containers.is_process(hostile) is bool(hostile["minipaas.process"])


def test_one_off_body():
    body = containers.one_off_body(spec(), "minipaas", interactive=True, tty=True, owner="b:1:2")
    assert {name: value for name, value in body["Labels"].items() if value} == {
        "minipaas.run": "blog",
        "minipaas.owner": "b:1:2",
    }
    assert body["HostConfig"]["AutoRemove"] is True
    assert body["Tty"] and body["OpenStdin"] and body["StdinOnce"] and body["AttachStdin"]
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"minipaas": {}}}
    assert "OpenStdin" not in containers.one_off_body(spec(), "minipaas", interactive=False, tty=False, owner="")


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("no", "no", 0),
        ("always", "always", 0),
        ("unless-stopped", "always", 0),
        ("on-failure", "on-failure", 0),
        ("on-failure:7", "on-failure", 7),
    ],
)
def test_restart_policy(text, name, count):
    assert containers.restart_policy(text) == {"Name": name, "MaximumRetryCount": count}


@pytest.mark.parametrize("text", ["", "never", "always:3", "on-failure:", "on-failure:-1", "on-failure:1\n", "no "])
def test_bad_restart_policy(text):
    with pytest.raises(errors.BadConfig):
        containers.restart_policy(text)


@pytest.mark.parametrize(
    ("changes", "is_one"),
    [
        ({}, True),
        (
            {"minipaas.app": "", "minipaas.run": "blog", "minipaas.owner": "b:1:2"},
            False,
        ),  # a one-off of an image that claims to be a process
        ({"minipaas.release": None}, False),  # somebody's `docker run minipaas/blog:v3`: the image's labels only
        ({"minipaas.release": "x"}, False),
        ({"minipaas.index": "²"}, False),
        ({"minipaas.process": None}, False),
    ],
)
def test_is_process(changes, is_one):
    labels = answer()["Config"]["Labels"] | changes
    assert containers.is_process({name: value for name, value in labels.items() if value is not None}) is is_one
    assert not containers.is_process(None)


def test_process():
    process = containers.process(answer(), "minipaas")
    assert (process.name, process.app, process.release, process.process_type, process.index) == (
        "blog_v3.web.1",
        "blog",
        3,
        "web",
        1,
    )
    assert (process.address, process.port, process.state, process.adopted) == ("10.87.0.2", 5000, "running", False)
    assert process.started == "2026-01-31T10:20:30.123456789Z" and (process.restarts, process.ended) == (0, "")
    back = answer(RestartCount=3, Created="2026-01-31T10:00:00.5Z")
    back["State"]["FinishedAt"] = "2026-01-31T10:20:29Z"
    process = containers.process(back, "minipaas")
    assert (process.restarts, process.created, process.ended) == (3, "2026-01-31T10:00:00.5Z", "2026-01-31T10:20:29Z")


@pytest.mark.parametrize(
    ("docker", "ours"),
    [
        ("created", "created"),
        ("running", "running"),
        ("paused", "paused"),
        ("restarting", "restarting"),
        ("removing", "missing"),
        ("exited", "exited"),
        ("dead", "exited"),
    ],
)
def test_states(docker, ours):
    state = {"Status": docker, "ExitCode": 7, "StartedAt": "0001-01-01T00:00:00Z"}
    process = containers.process(answer(State=state), "minipaas")
    assert (process.state, process.exit_code, process.started) == (ours, 7, "")


def test_adopted():
    adopted = answer(HostConfig={"RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0}})
    assert containers.process(adopted, "minipaas").adopted
    chosen = answer()
    chosen["Config"]["Labels"]["minipaas.restart"] = "no"
    assert containers.process(chosen, "minipaas").adopted


def test_address():
    assert (
        containers.address({"minipaas": {"IPAMConfig": None, "IPAddress": "10.87.255.4"}}, "minipaas") == "10.87.255.4"
    )
    assert containers.address({"bridge": {"IPAddress": "172.17.0.2"}}, "minipaas") == ""
    assert containers.address(None, "minipaas") == ""


def test_without_values_hides_every_value_and_changes_nothing_else():
    given = answer()
    shown = containers.without_values(given)
    assert shown["Config"]["Env"] == ["PORT=(hidden)", "SECRET=(hidden)"]
    assert given["Config"]["Env"] == ["PORT=5000", "SECRET=a=b"]
    assert shown["State"] == given["State"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container"
            ' process: exec: "foo": executable file not found in $PATH: unknown',
            'exec: "foo": executable file not found in $PATH',
        ),
        (
            "OCI runtime create failed: container_linux.go:380: starting container process caused:"
            ' exec: "a": permission denied: unknown',
            'exec: "a": permission denied',
        ),
        ("No such image: blog:latest", "No such image: blog:latest"),
        ("", "docker gave no reason"),
    ],
)
def test_reason(said, reason):
    assert containers.reason(said) == reason


def test_init_failure():
    assert (
        containers.init_failure(["[FATAL tini (7)] exec foo failed: No such file or directory"])
        == 'exec: "foo": No such file or directory'
    )
    assert "no /bin/sh" in containers.init_failure(["[FATAL tini (7)] exec /bin/sh failed: No such file or directory"])
    assert containers.init_failure(["hello", "exec foo failed"]) == ""

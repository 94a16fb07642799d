"""When a one-off container that nobody waits for is over, and what docker is asked for."""

import time

import pytest

from minipaas_lib.model.process import ContainerSpec
from plugins.scheduler_docker import containers, detached

SPEC = ContainerSpec("blog_v3.run.1", "blog", 3, "run", 1, "sha256:1", ("ls", "a b"), {"A": "1"})


def answer(status: str, finished: str = "0001-01-01T00:00:00Z") -> dict:
    return {"State": {"Status": status, "Running": status == "running", "FinishedAt": finished}}


def test_the_body():
    body = containers.detached_body(SPEC, "net", 7, 99, "me")
    assert {name: value for name, value in body["Labels"].items() if value} == {
        "minipaas.run": "blog",
        "minipaas.owner": "me",
        "minipaas.detached": "7",
        "minipaas.until": "99",
        "minipaas.release": "3",
    }
    assert not containers.is_process(body["Labels"]) and detached.is_detached(body["Labels"])
    assert not body["HostConfig"].get("AutoRemove") and body["HostConfig"]["RestartPolicy"]["Name"] == "no"


@pytest.mark.parametrize(
    "labels",
    [None, {}, {"minipaas.detached": "1"}, {"minipaas.run": "a", "minipaas.detached": "x"}, {"minipaas.run": "a"}],
)
def test_what_is_none(labels):
    assert not detached.is_detached(labels)


def test_when_one_is_over():
    at = lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(time.time() - seconds))  # noqa: E731
    assert not detached.is_over({}, None) and not detached.is_over({}, answer("running"))
    assert not detached.is_over({"minipaas.until": str(int(time.time()) + 60)}, answer("running"))
    late = {"minipaas.until": str(int(time.time()) - 1)}
    assert detached.is_over(late, answer("running")) and detached.is_overdue(late, answer("running"))
    assert not detached.is_overdue(late, answer("exited", at(10)))
    assert not detached.is_over({}, answer("exited", at(detached.KEPT - 60))) and detached.is_over(
        {}, answer("exited", at(detached.KEPT + 60))
    )
    assert detached.is_over({"minipaas.owner": "gone:1:1"}, answer("created"))
    assert not detached.is_over({"minipaas.owner": detached.owner.me()}, answer("created"))


@pytest.mark.parametrize(
    ("text", "seconds"), [("1970-01-01T00:01:00.5Z", 60), ("0001-01-01T00:00:00Z", 0), ("", 0), ("nonsense", 0)]
)
def test_docker_times(text, seconds):
    assert detached.seconds(text) == seconds


def test_the_command_as_typed():
    assert (
        detached._said({"Cmd": ["ls", "a b"]}) == "ls 'a b'"
        and detached._said({"Cmd": ["/bin/sh", "-c", "a | b"]}) == "a | b"
    )
    assert detached._said({"Cmd": None, "Entrypoint": ["/x"]}) == "/x" and detached._said({}) == ""

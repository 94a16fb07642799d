"""Waiting for a process: as short as can be, and never for ever."""

import socket

import pytest

from minipaas_lib import errors
from minipaas_lib.deploy import readiness
from minipaas_lib.model.process import ContainerSpec
from minipaas_lib.model.route import Backend


def started(fake, kind="web"):
    spec = ContainerSpec(f"blog_v1.{kind}.1", "blog", 1, kind, 1, "sha256:1", port=5000 if kind == "web" else 0)
    return fake.scheduler.start(spec)


def test_ready_at_once(fake):
    assert readiness.wait_ready(fake.scheduler, started(fake)).state == "running"
    assert readiness.wait_ready(fake.scheduler, started(fake, "worker")).state == "running"


@pytest.mark.parametrize("kind", ["web", "worker"])
def test_a_crash_is_seen(fake, kind):
    fake.scheduler.crashing = {kind}
    with pytest.raises(errors.DeployFailed, match="exit code 1"):
        readiness.wait_ready(fake.scheduler, started(fake, kind))


def test_a_port_that_accepts_and_then_crashes(fake, monkeypatch):
    process = started(fake)
    monkeypatch.setattr(readiness, "accepts", lambda backend, port: True)
    fake.scheduler.set(process.name, state="exited", exit_code=9)
    with pytest.raises(errors.DeployFailed, match="exit code 9"):
        readiness.wait_ready(fake.scheduler, process)


def test_a_port_that_never_accepts(fake):
    fake.scheduler.deaf = {"web"}
    with pytest.raises(errors.DeployFailed, match="does not listen on port 5000"):
        readiness.wait_ready(fake.scheduler, started(fake))


def test_given_up_elsewhere(fake):
    fake.scheduler.deaf = {"web"}
    with pytest.raises(errors.Cancelled):
        readiness.wait_ready(fake.scheduler, started(fake), lambda: True)


def test_accepts():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert readiness.accepts(Backend("127.0.0.1"), port)
        assert readiness.accepts(Backend("127.0.0.1", ((5000, port),)), 5000)
    assert not readiness.accepts(Backend("127.0.0.1"), port)

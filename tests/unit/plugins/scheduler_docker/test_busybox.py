"""The busybox that liveness checks run with."""

import os
import sys

import pytest

from minipaas_lib import errors
from minipaas_lib.model.liveness import Healthcheck
from minipaas_lib.model.process import ContainerSpec
from plugins.scheduler_docker import busybox, containers

HEALTH = Healthcheck(("/.minipaas/busybox", "sh", "-c", "x"), 2.5, 30, 60)
SPEC = ContainerSpec("blog_v1.web.1", "blog", 1, "web", 1, "sha256:1", mounts=(("/a", "/b", "rw"),), healthcheck=HEALTH)


def test_static(tmp_path):
    for name, content in {"script": b"#!/bin/sh\n", "empty": b"", "cut": b"\x7fELF" + bytes(30)}.items():
        (tmp_path / name).write_bytes(content)
        assert not busybox.static(str(tmp_path / name))
    assert not busybox.static(os.path.realpath(sys.executable))
    if os.path.exists("/bin/busybox"):
        assert busybox.static("/bin/busybox")


def test_copied_once_and_renewed(world, tmp_path, monkeypatch):
    source = tmp_path / "busybox"
    source.write_text("one")
    monkeypatch.setattr(busybox, "_SOURCES", (str(source),))
    monkeypatch.setattr(busybox, "static", lambda path: True)
    target = busybox.installed()
    first = os.stat(target)
    assert first.st_mode & 0o777 == 0o755 and os.stat(busybox.installed()).st_ino == first.st_ino
    source.write_text("another")
    assert open(busybox.installed()).read() == "another"
    assert busybox.mounted(SPEC).mounts == (("/a", "/b", "rw"), (target, "/.minipaas/busybox", "ro"))
    source.unlink()
    assert busybox.installed() == target, "containers that need it have it"


def test_none_here(world, monkeypatch):
    monkeypatch.setattr(busybox, "_SOURCES", ())
    with pytest.raises(errors.DeployFailed, match="no static busybox"):
        busybox.installed()


def test_docker_is_asked_in_nanoseconds_and_one_off_containers_are_not_watched():
    body = containers.body(SPEC, "net", "10.0.0.2")
    assert body["Healthcheck"] == {
        "Test": ["CMD", "/.minipaas/busybox", "sh", "-c", "x"],
        "Interval": 2_500_000_000,
        "Timeout": 30_000_000_000,
        "StartPeriod": 60_000_000_000,
        "Retries": 1,
    }
    assert "Healthcheck" not in containers.one_off_body(SPEC, "net", False, False, "me")

"""How nginx is asked."""

import os
import pathlib
import resource
import subprocess
import time

import pytest

from plugins.router_nginx import host, render


def test_logs_that_nginx_makes_can_be_read_by_the_group_alone(tmp_path, monkeypatch):
    asked = tmp_path / "nginx"
    asked.write_text(f"#!/bin/sh\n: >{tmp_path}/access.log\n")
    asked.chmod(0o755)
    monkeypatch.setattr(host, "_BINARY", str(asked))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    former = os.umask(0o077)
    try:
        assert host._ask(None, "-t")[0] == ""
    finally:
        os.umask(former)
    assert (tmp_path / "access.log").stat().st_mode & 0o777 == 0o640


def test_nginx_may_open_more_files_than_we_and_we_no_more_than_before(tmp_path, monkeypatch):
    asked = tmp_path / "nginx"
    asked.write_text(f"#!/bin/sh\nulimit -Sn >{tmp_path}/limit\n")
    asked.chmod(0o755)
    monkeypatch.setattr(host, "_BINARY", str(asked))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, former[1]))
    try:
        assert host._ask(None, "-t")[0] == ""
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (256, former[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)
    assert (tmp_path / "limit").read_text().strip() in (str(former[1]), "unlimited")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "2026/11/30 10:20:30 [alert] 12#12: 768 worker_connections are not enough",
            "768 worker_connections are not enough",
        ),
        (
            (
                "2026/11/30 10:20:30 [alert] 12#12: *7 8192 worker_connections are not enough while connecting to "
                "upstream, client: x"
            ),
            "8192 worker_connections are not enough",
        ),
        (
            "2026/11/30 10:20:30 [crit] 12#12: accept4() failed (24: Too many open files)",
            "accept4() failed (24: Too many open files)",
        ),
        ('2026/11/30 10:20:30 [error] 12#12: *7 open() "/x worker_connections are not enough" failed', ""),
        ("9999/99/99 99:99:99 [alert] 12#12: 768 worker_connections are not enough", ""),
        ("", ""),
    ],
)
def test_when_connections_ran_out_is_read_from_the_log(tmp_path, line, words):
    (tmp_path / "error.log").write_text("2026/11/30 09:00:00 [notice] 12#12: signal\n" + line + "\nno line at all\n")
    here = host.Host(render.Place(folder=str(tmp_path), logs=str(tmp_path)), etc=str(tmp_path))
    last = host.last_exhaustion(here)
    assert (last[1] if last else "") == words
    assert last is None or last[0] == time.mktime((2026, 11, 30, 10, 20, 30, 0, 0, -1))


def test_a_worker_counts_from_its_fork_until_it_shuts_down(monkeypatch):
    """A new one has its master's title for a moment: passed over, it answered by the former routes after a reload."""
    titles = [
        "nginx: master process /usr/sbin/nginx",
        "nginx: worker process",
        "nginx: worker process is shutting down",
        "nginx: cache manager process",
    ]
    children = [subprocess.Popen([title, "60"], executable="/bin/sleep") for title in titles]
    try:
        deadline = time.monotonic() + 10
        for child, title in zip(children, titles, strict=True):  # a program has its words only some time after exec
            while title.encode() not in pathlib.Path(f"/proc/{child.pid}/cmdline").read_bytes():
                assert time.monotonic() < deadline
        monkeypatch.setattr(host, "pid", lambda place: os.getpid())
        found = host.workers(host.Host(render.Place(folder="/nowhere", logs="/nowhere", port=80)))
        counted = [child.pid in found for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert counted == [True, True, False, False]

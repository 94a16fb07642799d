"""How nginx is asked."""

import os
import resource

from plugins.router_nginx import host


def test_logs_that_nginx_makes_can_be_read_by_the_group_alone(tmp_path, monkeypatch):
    asked = tmp_path / "nginx"
    asked.write_text(f'#!/bin/sh\n: >{tmp_path}/access.log\n')
    asked.chmod(0o755)
    monkeypatch.setattr(host, "_BINARY", str(asked))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    former = os.umask(0o077)
    try:
        assert host._ask(None, "-t") == ""
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
        assert host._ask(None, "-t") == ""
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (256, former[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)
    assert (tmp_path / "limit").read_text().strip() in (str(former[1]), "unlimited")

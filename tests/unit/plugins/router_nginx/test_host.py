"""How nginx is asked."""

import os

from plugins.router_nginx import host


def test_logs_that_nginx_makes_can_be_read_by_us(tmp_path, monkeypatch):
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
    assert (tmp_path / "access.log").stat().st_mode & 0o777 == 0o644

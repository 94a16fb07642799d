"""The logs of an app that is gone."""

import os
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors, names
from plugins.router_nginx import logs

HELPER = os.path.join(os.path.dirname(names.__file__), "install", "remove-logs")


@pytest.fixture
def helper(tmp_path):
    """The helper, on a folder of the test's."""
    with open(HELPER) as file:
        text = file.read()
    assert text.count("/var/log/nginx/") == 2
    path = tmp_path / "remove-logs"
    path.write_text(text.replace("/var/log/nginx", str(tmp_path)))
    path.chmod(0o755)
    return path


def test_all_logs_of_the_app_go_and_no_others(helper, tmp_path):
    mine = ["blog-access.log", "blog-error.log", "blog-access.log.1", "blog-error.log.14.gz"]
    others = ["blog-two-access.log", "access.log", "my-blog-access.log", "blog-access.log-kept"]
    for name in mine + others:
        (tmp_path / name).touch()
    subprocess.run([helper, "blog"], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "remove-logs"])
    subprocess.run([helper, "blog"], check=True)  # nothing there is fine


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
    | st.sampled_from(["", "-r", "../x", "a b", "*", "a\n", "A", "a/../b"])
)
def test_what_is_no_app_s_name_is_refused(text):
    if re.fullmatch("[a-z0-9][a-z0-9-]*", text):
        return
    assert subprocess.run([HELPER, text], capture_output=True).returncode == 2


@pytest.mark.parametrize("words", [[], ["blog", "shop"]])
def test_it_takes_one_name(words):
    assert subprocess.run([HELPER, *words], capture_output=True).returncode == 2


def test_a_refusal_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIPAAS_ROOT", raising=False)
    (tmp_path / "sudo").write_text("#!/bin/sh\necho sudo: a password is required >&2\nexit 1\n")
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(logs, "_HELPER", str(tmp_path / "sudo"))
    with pytest.raises(errors.Unavailable, match="the logs of blog stay: sudo: a password is required"):
        logs.remove("blog")
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    logs.remove("blog")  # a world of its own has none here

"""Which host a hint names: a line that is pasted must lead back to where the caller came from."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import address, errors, output

SSH = "ssh paas@<host> config:set blog A=b"
PUSH = "git push paas@<host>:blog main"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A host of which nobody said how it is called, and a function that lets a command come over a connection."""
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr(address, "ssh_ports", lambda: [22])
    monkeypatch.setattr(address, "own_address", lambda: "192.0.2.9")
    monkeypatch.setattr("os.uname", lambda: type("Names", (), {"nodename": "box"}))
    return lambda text: monkeypatch.setenv("SSH_CONNECTION", text)


@pytest.mark.parametrize(
    ("connection", "ssh", "push"),
    [
        (
            "198.51.100.4 5022 203.0.113.5 22",
            "ssh paas@203.0.113.5 config:set blog A=b",
            "git push paas@203.0.113.5:blog main",
        ),
        (
            "198.51.100.4 5022 203.0.113.5 2222",
            "ssh -p 2222 paas@203.0.113.5 config:set blog A=b",
            "git push ssh://paas@203.0.113.5:2222/blog main",
        ),
        (
            "2001:db8::9 5022 2001:db8::1 22",
            "ssh paas@2001:db8::1 config:set blog A=b",
            "git push paas@[2001:db8::1]:blog main",
        ),
        (
            "2001:db8::9 5022 2001:db8::1 2222",
            "ssh -p 2222 paas@2001:db8::1 config:set blog A=b",
            "git push ssh://paas@[2001:db8::1]:2222/blog main",
        ),
        (
            "::ffff:10.0.0.9 5022 ::ffff:10.0.0.1 22",
            "ssh paas@10.0.0.1 config:set blog A=b",
            "git push paas@10.0.0.1:blog main",
        ),
        ("127.0.0.1 5022 127.0.0.1 22", "ssh paas@127.0.0.1 config:set blog A=b", "git push paas@127.0.0.1:blog main"),
        # Somebody of the internet at a private address: another one leads here, which this host cannot know.
        ("9.9.9.9 5022 10.0.0.1 22", SSH, PUSH),
    ],
)
def test_over_ssh_it_is_where_the_client_came_to(home, connection, ssh, push):
    home(connection)
    assert (address.fill(SSH), address.fill(PUSH)) == (ssh, push)


def test_a_name_that_was_set_comes_first(home, tmp_path):
    (tmp_path / "host-name").write_text("paas.example.org\n")
    assert address.fill(PUSH) == "git push paas@paas.example.org:blog main"
    home("9.9.9.9 5022 10.0.0.1 2222")
    assert address.fill(SSH) == "ssh -p 2222 paas@paas.example.org config:set blog A=b"
    (tmp_path / "host-name").write_text("$(reboot)\n")
    assert address.fill(SSH) == SSH


def test_root_on_the_host_is_told_its_name_or_address(home, monkeypatch):
    assert address.fill(SSH) == "ssh paas@192.0.2.9 config:set blog A=b"
    monkeypatch.setattr("os.uname", lambda: type("Names", (), {"nodename": "box.example.org"}))
    assert address.fill(PUSH) == "git push paas@box.example.org:blog main"
    monkeypatch.setattr(address, "ssh_ports", lambda: [2222, 22])
    assert address.fill(PUSH) == "git push ssh://paas@box.example.org:2222/blog main"
    monkeypatch.setattr("os.uname", lambda: type("Names", (), {"nodename": "ip-10-0-0-1.eu.compute.internal"}))
    assert "192.0.2.9" in address.fill(PUSH)


def test_only_places_of_a_host_of_ours_are_filled(home):
    for text in ("git:auth <host> <user>", "registry:set blog server <host>", "paas@host", "<host>"):
        assert address.fill(text) == text
    assert address.fill("ssh -t paas@<host> enter blog") == "ssh -t paas@192.0.2.9 enter blog"
    assert address.fill("completion bash --to paas@<host>") == "completion bash --to paas@192.0.2.9"
    assert address.fill("git push paas@<host>:<app> main") == "git push paas@192.0.2.9:<app> main"
    assert address.fill("cat k.pub | ssh root@<host> minipaas") == "cat k.pub | ssh root@192.0.2.9 minipaas"


def test_a_folder_of_sshd_that_only_root_may_read_fails_no_hint(tmp_path, monkeypatch):
    (tmp_path / "sshd_config").write_text("Port 2222\n")
    (tmp_path / "sshd_config.d").mkdir()

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.listdir", refuse)
    assert address.ssh_ports(str(tmp_path)) == [2222]


@given(st.text(max_size=60))
def test_whatever_a_connection_says_a_hint_is_a_line_without_surprises(text):
    found = address._of_connection(text)
    assert found is None or (shlex.split(found[1].host) == [found[1].host] and 0 <= found[1].port < 100_000)


def test_errors_and_hints_are_said_with_the_address(home, capsys):
    from minipaas_lib import cli

    def fails():
        raise errors.UsageError("blog has no commit to build", PUSH)

    assert cli.guard(fails) == 2
    output.hint("git remote add paas paas@<host>:blog")
    said = capsys.readouterr().err
    assert (
        "git push paas@192.0.2.9:blog main" in said
        and "git remote add paas paas@192.0.2.9:blog" in said
        and "<host>" not in said
    )

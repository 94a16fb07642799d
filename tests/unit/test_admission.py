"""A key that was removed does nothing more, over a connection that is open already too."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minipaas_lib import admission, errors, ssh_entry

HOUSE = Path(__file__).parents[2]
KEY = "SHA256:UxcR0+/x"


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """sshd's file, with the key anna."""
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    (tmp_path / "ssh").mkdir()
    file = tmp_path / "ssh/authorized_keys"
    file.write_text(f'ssh-rsa AAAA own\nrestrict,pty,command="minipaas --key anna {KEY}" ssh-ed25519 AAAA\n')
    return file


@pytest.mark.parametrize(
    ("name", "fingerprint", "admitted"),
    [
        ("anna", KEY, True),
        ("anna", "", True),  # a connection from before lines had fingerprints
        ("anna", KEY[:-1], False),
        ("anna", "SHA256:other", False),
        ("ann", "", False),
        ("ann", KEY, False),
        ("anna2", KEY, False),
        ("", "", False),
    ],
)
def test_who_is_let_in(keys, name, fingerprint, admitted):
    assert admission.is_admitted(name, fingerprint) is admitted


def test_a_line_of_an_earlier_version(keys):
    keys.write_text('restrict,pty,command="minipaas --key anna" ssh-ed25519 AAAA\n')
    assert admission.is_admitted("anna") and not admission.is_admitted("anna", KEY) and not admission.is_admitted("ann")


def test_without_a_file_nobody_is_let_in(keys):
    keys.unlink()
    assert not admission.is_admitted("anna", KEY)


@pytest.mark.parametrize("asked", ["git-receive-pack 'blog'", "apps:list", "", "help"])
def test_the_gate_refuses_a_removed_key(keys, monkeypatch, capsys, asked):
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", asked)
    monkeypatch.setattr(os, "execvp", lambda *words: pytest.fail("git was let through"))
    for name in ("MINIPAAS_KEY", "MINIPAAS_FINGERPRINT"):
        monkeypatch.setenv(name, "")
    keys.write_text("")
    assert ssh_entry.enter("anna", KEY) == 77
    assert "the key anna is no longer allowed on this host" in capsys.readouterr().err


@pytest.mark.timeout(60, method="thread")  # the other way uses the same timer
def test_a_command_that_goes_on_ends_with_its_key(keys, monkeypatch):
    monkeypatch.setenv("MINIPAAS_KEY", "anna")
    monkeypatch.setenv("MINIPAAS_FINGERPRINT", KEY)
    monkeypatch.setattr(admission, "_INTERVAL", 0.01)
    monkeypatch.setattr(admission, "_AGAIN", 0.2)
    admission.end_with_key()
    try:
        signal.sigtimedwait([signal.SIGUSR1], 0.1)  # several looks, and none of them ends it
        for _ in range(2):  # an error that is lost in a finalizer comes again
            with pytest.raises(errors.Denied):
                keys.write_text("")
                for _ in range(100):
                    signal.sigtimedwait([signal.SIGUSR1], 0.1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


@pytest.mark.timeout(60, method="thread")
def test_a_key_that_was_removed_since_the_gate_looked_begins_nothing(keys, monkeypatch):
    monkeypatch.setenv("MINIPAAS_KEY", "anna")
    monkeypatch.setenv("MINIPAAS_FINGERPRINT", KEY)
    keys.write_text("")
    try:
        with pytest.raises(errors.Denied):
            admission.end_with_key()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_under_gevent_the_greenlet_that_waits_is_ended(keys):
    """In a process of its own: what gevent patches stays so."""
    program = f"""
from gevent import monkey
monkey.patch_all()
import gevent, pathlib
from minipaas_lib import admission, errors
admission._INTERVAL = 0.01
admission.end_with_key()
gevent.sleep(0.1)
pathlib.Path({str(keys)!r}).write_text("")
try:
    gevent.sleep(30)
except errors.Denied as error:
    print(error.message)
"""
    env = os.environ | {"MINIPAAS_KEY": "anna", "MINIPAAS_FINGERPRINT": KEY, "PYTHONPATH": str(HOUSE)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert "the key anna is no longer allowed on this host" in done.stdout, done.stderr


@pytest.mark.timeout(60, method="thread")
def test_root_on_the_host_is_not_looked_after(keys, monkeypatch):
    monkeypatch.delenv("MINIPAAS_KEY", raising=False)
    keys.write_text("")
    admission.end_with_key()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

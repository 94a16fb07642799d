"""The parts of install.sh that decide something, each run by the system's sh. Nothing is installed."""

import os
import signal
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipaas_lib import names

FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = sorted(os.listdir(os.path.join(FOLDER, "minipaas_lib", "install")))
SCRIPTS = ["install.sh", *(f"minipaas_lib/install/{name}" for name in PARTS if name.endswith(".sh"))]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGDOjTVjQvJ0F0nX5Yk1o2lFJ8C0d1mM8p0y7Yx1y1y1"


def sh(script, *arguments, stdin=""):
    command = ["/bin/sh", "-euc", script, "sh", *arguments]
    return subprocess.run(command, cwd=FOLDER, input=stdin, capture_output=True, text=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_syntax(script):
    assert subprocess.run(["/bin/sh", "-n", os.path.join(FOLDER, script)]).returncode == 0


def test_options():
    assert "--domain DOMAIN" in sh("./install.sh --help").stdout
    for wrong in ("--bogus", "--domain", "--key ''", "--purge"):
        done = sh(f"./install.sh {wrong}")
        assert done.returncode == 2, wrong
        assert " !     " in done.stderr


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"{KEY} me@laptop\n", f"{KEY} me@laptop"),
        (f'no-pty,command="echo no" {KEY}\n', KEY),
        (f"# {KEY}\n\n{KEY} second\n{KEY} third\n", f"{KEY} second"),
        ("\ufeff# of Windows\r\n" + KEY.replace(" ", "\t  ") + " me\r\n", f"{KEY} me"),
        ("nothing\n", ""),
    ],
)
def test_first_public_key_of_a_file(tmp_path, text, key):
    (tmp_path / "keys").write_text(text)
    assert sh('. ./minipaas_lib/install/settings.sh; public_key "$1"', str(tmp_path / "keys")).stdout.strip() == key


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        ("", "admin"),
        (" ", "admin"),
        (" root", "admin"),
        (" root@localhost", "admin"),
        (" root@localhost.localdomain", "admin"),
        (" anna", "anna"),
        (" anna@laptop", "anna@laptop"),
        (" root@laptop", "root@laptop"),
        (" Anna's  old laptop (2019)", "Anna-s-old-laptop-2019"),
        (" --fingerprint x", "fingerprint-x"),
        (" ../../etc", "etc"),
        (" $(id);`id`", "id-id"),
        (" \u6f22\u5b57", "admin"),
        (" " + "x" * 100, "x" * 60),
    ],
)
def test_a_key_is_named_by_its_comment(comment, name):
    said = sh(". ./minipaas_lib/install/settings.sh; key_name", stdin=f"{KEY}{comment}\n").stdout
    assert said == name + "\n" and names.key_name(name) == name


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=90))
@settings(max_examples=25, deadline=None)
def test_every_comment_gives_a_name_that_a_key_can_have(comment):
    said = sh(". ./minipaas_lib/install/settings.sh; key_name", stdin=f"{KEY} {comment}\n").stdout
    assert said.endswith("\n") and names.key_name(said[:-1]) != "root"


def test_one_at_a_time_and_nothing_that_it_starts_holds_the_lock(tmp_path):
    held = """
        . ./minipaas_lib/install/alone.sh
        warn() { echo "$1" >&2; }
        work() { setsid sleep 30 >/dev/null 2>&1 & echo "$!"; [ -z "$second" ] || sh -euc "$second" sh "$file"; }
        file=$1
        alone "$1" work
        """
    environment = os.environ | {"second": "second=; " + held}
    command = ["/bin/sh", "-euc", held, "sh", str(tmp_path / "lock")]
    first = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=20)
    started = first.stdout.split()
    try:
        assert first.returncode == 75 and "Another install.sh is running" in first.stderr
        assert len(started) == 1, "the second did not begin"
        again = subprocess.run(command, cwd=FOLDER, env=environment | {"second": ""}, capture_output=True, text=True, timeout=20)
        started += again.stdout.split()
        assert again.returncode == 0, "a daemon of the first holds the lock"
    finally:
        for pid in started:
            os.kill(int(pid), signal.SIGKILL)


@pytest.mark.parametrize(
    ("line", "claims"),
    [
        ("    listen 80 default_server;", True),
        ("server { listen [::]:80 ipv6only=on default_server; }", True),
        ("listen *:80 default_server;", True),
        ("listen 8080 default_server;", False),
        ("listen 192.0.2.7:80 default_server;", False),
        ("listen 80;", False),
        ("# listen 80 default_server;", False),
        ("listen 80; # default_server", False),
    ],
)
def test_who_claims_default_server(line, claims):
    shown = f"# configuration file /etc/nginx/nginx.conf:\nhttp {{\n# configuration file /etc/nginx/a.conf:\n{line}\n"
    done = sh(". ./minipaas_lib/install/nginx.sh; default_servers", stdin=shown)
    assert done.stdout.split() == (["/etc/nginx/a.conf"] if claims else [])


def test_default_domain_is_a_name():
    name = sh("python=/usr/bin/python3; . ./minipaas_lib/install/settings.sh; default_domain").stdout.strip()
    assert "." in name and not set(name) & set(" /:;")


def test_a_pid_file_is_kept_only_while_its_process_is_the_daemon(tmp_path):
    file, name = tmp_path / "pid", open("/proc/self/comm").read().strip()
    call = ". ./minipaas_lib/install/daemons.sh; forget_dead"
    for text, daemon, kept in (
        (str(os.getpid()), name, True),
        (str(os.getpid()), "dockerd", False),
        ("4194305", "dockerd", False),
        ("", "dockerd", False),
    ):
        file.write_text(text)
        assert sh(f'{call} "$1" "$2"', str(file), daemon).returncode == 0
        assert file.exists() == kept
    assert sh(f'{call} "$1" dockerd', str(tmp_path / "none")).returncode == 0


@pytest.mark.parametrize(("busy", "said"), [(2, "removed"), (99, "still logged in")])
def test_the_user_goes_once_its_last_process_has_ended(tmp_path, busy, said):
    """What was given just before --uninstall --purge may leave a process that ends a moment later."""
    for name in ("root", "home"):
        (tmp_path / name).mkdir()
    script = """
        . ./minipaas_lib/install/remove.sh
        root=$1/root home=$1/home user=paas
        sleep() { :; }
        info() { echo "$1"; }
        warn() { echo "$1"; }
        busy=$2
        userdel() { echo x >>"$root.turns"; [ "$(wc -l <"$root.turns")" -gt "$busy" ]; }
        remove_data
    """
    assert said in sh(script, str(tmp_path), str(busy)).stdout
    assert not (tmp_path / "home").exists() and not (tmp_path / "root").exists()

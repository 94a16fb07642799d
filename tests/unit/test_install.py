"""The parts of install.sh that decide something, each run by the system's sh. Nothing is installed."""

import os
import subprocess

import pytest

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
        ("nothing\n", ""),
    ],
)
def test_first_public_key_of_a_file(tmp_path, text, key):
    (tmp_path / "keys").write_text(text)
    assert sh('. ./minipaas_lib/install/settings.sh; public_key "$1"', str(tmp_path / "keys")).stdout.strip() == key


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

"""What install.sh leaves on a host, and what it does when it is run again."""

import contextlib
import fcntl
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import MINIPAAS

pytestmark = [pytest.mark.serial, pytest.mark.one_host]  # it changes the folders that all else lives in

INSTALL = Path(__file__).parents[2] / "install.sh"
ROOT, PLUGINS = Path("/var/lib/minipaas"), Path("/var/lib/minipaas/plugins")
NGINX_CONF = Path("/etc/nginx/nginx.conf")
CONNECTIONS = "worker_connections 8192; # minipaas, was: 768;"
GUARD = "/run/minipaas-install.lock"


def install(*words, ok=True, **more):
    done = subprocess.run(
        [INSTALL, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, **more
    )
    assert not ok or done.returncode == 0, done.stdout + done.stderr
    return done


def as_paas(*words):
    return subprocess.run(
        ["setpriv", "--reuid=paas", "--regid=paas", "--init-groups", *words], capture_output=True, text=True, timeout=30
    )


def owner(path) -> tuple[str, int]:
    about = os.stat(path)
    return pwd.getpwuid(about.st_uid).pw_name, about.st_mode & 0o7777


def test_paas_makes_folders_and_cannot_replace_what_is_roots(host):
    assert as_paas("mkdir", ROOT / "of-paas").returncode == 0
    assert as_paas("mv", ROOT / "of-paas", ROOT / "also-of-paas").returncode == 0
    assert as_paas("rmdir", ROOT / "also-of-paas").returncode == 0
    for words in (
        ["mv", PLUGINS, ROOT / "moved"],
        ["rmdir", PLUGINS],
        ["touch", PLUGINS / "index"],
        ["chmod", "777", ROOT],
    ):
        refused = as_paas(*words)
        assert refused.returncode != 0 and ("not permitted" in refused.stderr or "denied" in refused.stderr), words
    assert owner(PLUGINS) == ("root", 0o755)


def test_what_root_made_by_trying_the_program_before_the_installation_is_given_to_paas(host):
    folder = ROOT / "plugin-data"
    (folder / "tried").mkdir()
    (folder / "tried" / "file").write_text("x")
    (folder / "tried" / "link").symlink_to("/etc/hostname")
    try:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 0, 0, follow_symlinks=False)
        install()
        assert {owner(path)[0] for path in (folder, folder / "tried", folder / "tried" / "file")} == {"paas"}
        assert owner("/etc/hostname")[0] == "root", "what a link leads to is not touched"
    finally:
        shutil.rmtree(folder / "tried")
    assert owner(PLUGINS)[0] == "root"


def nginx_finding() -> str:
    said = subprocess.run([MINIPAAS, "doctor"], capture_output=True, text=True, timeout=60).stdout
    return next(line for line in said.splitlines() if "nginx: connections" in line)


def test_an_upgrade_takes_the_folder_from_paas_and_mends_nginx_conf(host):
    """It was paas's, and so plugins could be replaced, before the folder was sticky. An upgrade of nginx may bring back
    a nginx.conf of its own, where one client can use up the connections.
    """
    shutil.chown(ROOT, "paas", "paas")
    ROOT.chmod(0o711)
    conf = NGINX_CONF.read_text()
    assert CONNECTIONS in conf and nginx_finding().startswith("ok ")
    NGINX_CONF.write_text(conf.replace(CONNECTIONS, "worker_connections 768;"))
    assert nginx_finding().startswith("BROKEN") and "have 768 connections" in nginx_finding()
    said = install().stdout
    assert NGINX_CONF.read_text() == conf and nginx_finding().startswith("ok "), said
    assert owner(ROOT) == ("root", 0o1771) and owner(ROOT / "state") == ("paas", 0o700), said
    assert host.ssh("apps:list").returncode == 0


def test_plugins_that_were_not_roots_are_not_made_so(host):
    try:
        shutil.chown(PLUGINS, "paas", "paas")
        refused = install(ok=False)
        assert refused.returncode == 1 and "is not root's" in refused.stderr and "chown -R root:root" in refused.stderr
        assert owner(PLUGINS)[0] == "paas"
    finally:
        shutil.chown(PLUGINS, "root", "root")
    install()


def test_a_port_that_another_server_has_is_named_before_anything_is_changed(host):
    subprocess.run(
        ["systemctl", "stop", "nginx"] if Path("/run/systemd/system").is_dir() else ["nginx", "-s", "quit"], check=True
    )
    places = [ROOT, Path("/etc/sudoers.d/minipaas"), Path(MINIPAAS)]
    before = [path.stat().st_mtime_ns for path in places]
    try:
        with bind(80):
            refused = install(ok=False)
            after = [path.stat().st_mtime_ns for path in places]
    finally:
        install()
    assert refused.returncode == 1 and f"(pid {os.getpid()}) listens on port 80" in refused.stderr
    assert "Type: " in refused.stderr and "Nothing was changed" in refused.stderr and "Packages" not in refused.stdout
    assert before == after


def bind(port: int) -> socket.socket:
    """Listen there as soon as who had it has let go."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            return socket.create_server(("", port))
        time.sleep(0.05)
    raise AssertionError(f"port {port} does not become free")


def test_lines_pasted_after_the_command_are_left_to_the_shell(host):
    master, slave = os.openpty()
    try:
        os.write(master, b"y\nssh paas@host apps:list\n")
        shell = f'{INSTALL} >/dev/null 2>&1 || exit; read -r first; read -r second; echo "$first|$second"'
        done = subprocess.run(["sh", "-c", shell], stdin=slave, capture_output=True, text=True, timeout=300)
        assert done.stdout == "y|ssh paas@host apps:list\n"
    finally:
        os.close(master)
        os.close(slave)


def test_a_firewall_that_lets_nobody_in_is_said_over_ssh(host, app):
    host.ssh("apps:create", app)
    rule = ["INPUT", "-p", "tcp", "--dport", "8099", "-j", "DROP"]
    subprocess.run(["iptables", "-I", *rule], check=True)
    try:
        said = host.ssh("ports:add", app, "http:8099:5000").stderr
        assert "lets nobody in on port 8099" in said and "as root: " in said
        found = host.ssh("doctor", ok=False).stdout
        assert f"BROKEN  app {app}: ports" in found and "ok      firewall" in found
    finally:
        subprocess.run(["iptables", "-D", *rule], check=True)
    assert "lets nobody in" not in host.ssh("ports:set", app, "http:8099:5000").stderr


def test_two_at_once_are_one_too_many(host):
    with open(GUARD) as file:  # every run leaves it there, empty
        fcntl.flock(file, fcntl.LOCK_EX)
        for words in ([], ["--uninstall", "--purge", "--yes"]):
            refused = install(*words, ok=False)
            assert refused.returncode == 75 and "Another install.sh is running" in refused.stderr
    assert owner(GUARD) == ("root", 0o600)


def test_what_it_starts_does_not_hold_the_lock(host):
    held = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            held += [pid for entry in os.scandir(f"/proc/{pid}/fd") if os.readlink(entry.path) == GUARD]
    assert held == []


def test_a_key_gets_a_name_of_its_own(host, tmp_path):
    names = []
    try:
        for number, expected in enumerate(("t@laptop.test", "t@laptop.test-2")):
            key = tmp_path / f"id{number}"
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "t@laptop.test", "-f", key], check=True
            )
            assert f"added {expected} (" in install("--key", f"{key}.pub").stdout
            names.append(expected)
            assert host.ssh("ssh-keys:list", expected).returncode == 0
        assert "is in place" in install("--key", f"{key}.pub").stdout
    finally:
        for name in names:
            subprocess.run([MINIPAAS, "ssh-keys:remove", name], capture_output=True, check=True)


def test_an_upgrade_writes_the_routes_of_apps_anew(host, app, repo):
    """As files of the version before are: nginx accepts them, and they say the same in other words."""
    repo.push()
    file = Path("/var/lib/minipaas/nginx/live") / f"{app}.conf"
    present = file.read_text()
    file.write_text(present.replace("server_tokens off;", "server_tokens build;"))
    done = subprocess.run([MINIPAAS, "install:finish"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert file.read_text() == present
    assert host.get(host.url_host(app))[0] == 200

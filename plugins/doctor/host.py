"""The parts of the host that no other plugin looks after."""

import os
import pwd
import shutil
import stat

from minipaas_lib import api

GIT_SHELL = "/usr/bin/git-shell"
HTTP = 80
LISTENING = "0A"  # in /proc/net/tcp (proc(5), include/net/tcp_states.h)
LEAST_BYTES = 500 << 20
LEAST_SHARE = 0.05
DOCKER_FOLDER = "/var/lib/docker"


def findings() -> list:
    """Findings about store, firewall, sshd, keys, git-shell, the program and the disk."""
    found = [store(), firewall(), sshd(), program()]
    try:
        user = pwd.getpwnam(api.paths.PAAS_USER)
    except KeyError:
        found.append(api.Finding("sshd", False, f"there is no user {api.paths.PAAS_USER}", "sudo minipaas install"))
    else:
        found += [authorized_keys(user.pw_dir, user.pw_uid), git_shell(user.pw_shell)]
    return found + disks()


def store() -> "api.Finding":
    """Can the state be read and written, and is it of our schema?"""
    scratch = os.path.join(api.paths.work(), f"doctor-{os.getpid()}")
    try:
        api.kernel.check_store(api.kernel.store())
        os.makedirs(api.paths.work(), mode=0o700, exist_ok=True)
        with open(scratch, "wb") as file:
            file.write(b"doctor" * 1000)
            file.flush()
            os.fsync(file.fileno())
    except api.errors.MinipaasError as error:
        return api.Finding("store", False, error.message, error.hint)
    except OSError as error:
        return api.Finding(
            "store",
            False,
            f"{api.paths.root()} cannot be written: {error.strerror}",
            "df -h; ls -ld " + api.paths.root(),
        )
    finally:
        if os.path.exists(scratch):
            os.unlink(scratch)
    count = len(api.app_names())
    cluster = api.kernel.cluster.settings()
    where = f"etcd ({', '.join(cluster.etcd)})" if cluster else api.paths.state()
    return api.Finding("store", True, f"{count} {'app' if count == 1 else 'apps'} in {where}")


def sshd() -> "api.Finding":
    """Does anything listen where sshd should?"""
    ports = api.kernel.address.ssh_ports()
    listening = listening_ports(*(_text(f"/proc/net/{name}") for name in ("tcp", "tcp6")))
    silent = [port for port in ports if port not in listening]
    if silent:
        return api.Finding("sshd", False, f"nothing listens on port {silent[0]}", "sudo service ssh start")
    return api.Finding("sshd", True, "listens on port " + ", ".join(map(str, ports)))


def firewall() -> "api.Finding":
    """Can visitors reach nginx and sshd? Ports that apps map are checked with these apps."""
    ports = [*api.kernel.address.ssh_ports(), HTTP]
    try:
        barriers = api.kernel.firewall.barriers(ports)
    except api.kernel.firewall.Unreadable as error:
        return api.Finding("firewall", True, f"not checked: {error}; to check as root: sudo minipaas doctor")
    closed = [barrier for barrier in barriers if barrier.nobody]
    if closed:
        return api.Finding(
            "firewall",
            False,
            "; ".join(barrier.said for barrier in closed),
            "as root: " + "; ".join(dict.fromkeys(barrier.fix for barrier in closed)),
        )
    if barriers:
        return api.Finding("firewall", True, "; ".join(barrier.said for barrier in barriers))
    return api.Finding("firewall", True, f"this host's own firewall is open on port {', '.join(map(str, ports))}")


def listening_ports(*tables: str) -> set[int]:
    """The TCP ports that something listens on, from the tables of /proc/net/tcp and tcp6. Pure."""
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == LISTENING}


def authorized_keys(home: str, owner: int) -> "api.Finding":
    """Will sshd accept the file of our keys? (sshd(8), StrictModes)"""
    part = "authorized_keys"
    keys = os.path.join(home, ".ssh", "authorized_keys")
    for path in (home, os.path.dirname(keys), keys):
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return api.Finding(part, False, f"{path} is missing, so no key can log in", "sudo minipaas install")
        except OSError as error:
            return api.Finding(part, False, f"{path} cannot be read: {error.strerror}", f"ls -ld {path}")
        if status.st_uid not in (0, owner):
            return api.Finding(
                part, False, f"{path} belongs to another user, so sshd ignores it", f"sudo chown paas {path}"
            )
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return api.Finding(
                part, False, f"{path} can be written by others, so sshd ignores it", f"sudo chmod go-w {path}"
            )
    count = sum("--key" in line for line in _text(keys).splitlines())
    if not count:
        return api.Finding(part, True, "there is no key yet; to add one: minipaas ssh-keys:add <name> <file>")
    return api.Finding(part, True, f"{count} {'key' if count == 1 else 'keys'} in {keys}")


def git_shell(shell: str) -> "api.Finding":
    """Can paas log in at all?"""
    if shell != GIT_SHELL:
        return api.Finding("git-shell", False, f"the shell of paas is {shell}", f"sudo usermod -s {GIT_SHELL} paas")
    if not os.access(GIT_SHELL, os.X_OK):
        return api.Finding("git-shell", False, f"{GIT_SHELL} is missing", "on the host: sudo apt-get install git")
    return api.Finding("git-shell", True, "is the shell of paas")


def program() -> "api.Finding":
    """Is the command there that sshd and the repositories' hooks run?"""
    path = api.paths.program()
    if not os.path.exists(path):
        return api.Finding("program", False, f"{path} is a broken link, so every push fails", "sudo minipaas install")
    if not os.access(path, os.X_OK):
        return api.Finding("program", False, f"{path} cannot be run", f"sudo chmod 755 {path}")
    found = shutil.which("minipaas") or path
    if os.path.realpath(found) != os.path.realpath(path):
        return api.Finding("program", False, f"PATH finds {found} before {path}", f"rm {found}")
    return api.Finding("program", True, os.path.realpath(path))


def disks() -> list:
    """Is there room where state, images and temporary files are?"""
    seen: dict[int, str] = {}
    for path in (api.paths.root(), DOCKER_FOLDER, "/tmp"):
        try:
            seen.setdefault(os.stat(path).st_dev, path)
        except OSError:
            continue  # not there, or not for our eyes
    return [disk(path, os.statvfs(path)) for path in seen.values()]


def disk(path: str, status) -> "api.Finding":
    """One file system, from what statvfs says of it. Pure."""
    free, size = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
    part = f"disk of {path}"
    if free < LEAST_BYTES and free < size * LEAST_SHARE:
        said = f"{free >> 20} MB of {size >> 20} MB are free"
        return api.Finding(part, False, said, "docker system df; docker image prune")
    if status.f_files and status.f_favail < status.f_files * 0.01:
        return api.Finding(
            part, False, f"{status.f_favail} of {status.f_files} inodes are free", f"du --inodes -xs {path}"
        )
    return api.Finding(part, True, f"{free >> 20} MB free")


def _text(path: str) -> str:
    """The content of a file of the system, or nothing."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""

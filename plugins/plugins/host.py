"""Who may put plugins on this host, and how their code is run with no more rights than paas has."""

import contextlib
import fcntl
import os
import pwd
import stat
import subprocess
import sys

from minipaas_lib import api


def require_root() -> None:
    """Raise errors.Denied unless root typed the command on the host (or it is a world of one's own)."""
    if os.geteuid() != 0 and "MINIPAAS_ROOT" not in os.environ:
        command = api.caller.command()
        raise api.errors.Denied(
            f"{command} needs root: plugins are code that every command runs", f"sudo minipaas {command}"
        )


def paas() -> pwd.struct_passwd | None:
    """The user that plugins run as, where that is another than we are."""
    if os.geteuid() != 0 or "MINIPAAS_ROOT" in os.environ:
        return None
    try:
        return pwd.getpwnam(api.paths.PAAS_USER)
    except KeyError:
        return None


def drop() -> None:
    """Become paas for good."""
    user = paas()
    if user:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
        os.chdir("/")


def as_paas(docker: bool = False) -> dict:
    """Arguments of subprocess that make the program run as paas; with `docker`, in its group docker too."""
    user = paas()
    if user is None:
        return {}
    groups = os.getgrouplist(user.pw_name, user.pw_gid) if docker else []
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": groups}


def ourselves() -> list[str]:
    """The words that run this very program."""
    source = api.paths.source()
    script = source if os.path.isfile(source) else os.path.join(source, "minipaas")
    return [sys.executable, script] if os.path.exists(script) else [sys.executable, "-P", "-m", "minipaas_lib"]


def environment(**more: str) -> dict[str, str]:
    """The environment of a minipaas process that runs as paas."""
    user = paas()
    kept = (
        "PATH",
        "LANG",
        "LC_ALL",
        "TZ",
        "MINIPAAS_ROOT",
        "MINIPAAS_PROGRAM",
        "MINIPAAS_TRACE",
        "MINIPAAS_TRACE_HOOKS",
        "DOCKER_HOST",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    )
    found = {name: os.environ[name] for name in kept if name in os.environ}
    home = user.pw_dir if user else os.environ.get("HOME", "/")
    return found | {"HOME": home} | more


def run_as_paas(words: list[str], limit: float, **more: str) -> subprocess.CompletedProcess:
    """Run one of our commands as paas; what it prints on stderr goes to the user. Raises subprocess.TimeoutExpired."""
    sys.stderr.flush()
    process = subprocess.Popen(
        [*ourselves(), *words],
        env=environment(**more),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        **as_paas(docker=True),
    )
    try:
        out, _ = process.communicate(timeout=limit)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, 9)
        process.wait()
    return subprocess.CompletedProcess(words, process.returncode, out, b"")


@contextlib.contextmanager
def folder():
    """The folder of plugins, made if need be and held by us alone. Raises errors.Denied if it is not root's."""
    path = api.paths.plugins()
    os.makedirs(path, mode=0o755, exist_ok=True)
    about = os.lstat(path)
    beside = os.stat(os.path.dirname(path))
    movable = beside.st_uid not in (0, os.geteuid()) or (beside.st_mode & 0o022 and not beside.st_mode & stat.S_ISVTX)
    if movable or about.st_uid != os.geteuid() or about.st_mode & 0o022 or os.path.islink(path):
        said = f"{path} must be a folder that belongs to root and that only root can change or move"
        raise api.errors.BadConfig(said, "repeat the installation: sudo ./install.sh")
    descriptor = os.open(os.path.join(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise api.errors.Locked("another command is changing the plugins", "wait for it to finish") from None
        yield path
    finally:
        os.close(descriptor)

"""The nginx of this host: its files, whether it runs, and the commands it gets."""

import contextlib
import os
import re
import socket
import time
from typing import NamedTuple

from minipaas_lib import api
from plugins.router_nginx.render import GENERATION, PROOF_DOMAIN, Place

_BINARY = "/usr/sbin/nginx"
_LOG_READERS = "adm"
_LOG_END = 256 * 1024  # bytes
_EXHAUSTION = (
    r"^([0-9/]{10} [0-9:]{8}) \[[a-z]+\] [0-9#]+: (?:\*[0-9]+ )?"
    r"([0-9]{1,9} worker_connections are not enough|accept4?\(\) failed \(24: Too many open files\))"
)
_SETTING = r"^[ \t]*{name}[ \t]+([^;\s]+)"


class Host(NamedTuple):
    place: Place
    etc: str = "/etc/nginx"
    arguments: tuple[str, ...] = ()  # of every nginx command, where it is not the host's own nginx

    @property
    def live(self) -> str:
        return os.path.join(self.place.folder, "live")

    @property
    def shadow(self) -> str:
        return os.path.join(self.place.folder, "shadow")

    @property
    def include(self) -> str:
        """The file inside nginx's own folder that includes minipaas' main.conf."""
        return os.path.join(self.etc, "conf.d", "minipaas.conf")


def this_host() -> Host:
    ipv6 = os.path.exists("/proc/net/if_inet6")  # without it nginx cannot listen on [::] and would not start
    return Host(Place(folder=api.paths.nginx(), logs="/var/log/nginx", ipv6=ipv6))


def pid(host: Host) -> int:
    """The process id of nginx's master, or 0 if it does not run."""
    try:
        with open(setting(host, "pid") or "/run/nginx.pid", encoding="ascii") as file:
            number = int(file.read())
        os.kill(number, 0)
    except PermissionError:  # it is root's
        pass
    except (OSError, ValueError):
        return 0
    try:
        with open(f"/proc/{number}/comm", encoding="utf-8") as file:
            return number if file.read().startswith("nginx") else 0
    except OSError:  # hidden by hidepid
        return number


def workers(host: Host) -> set[int]:
    """The process ids of the workers that accept requests; empty if /proc does not tell."""
    master, children = pid(host), set()
    for _ in range(3):  # a list may lack one where another ended while it was read (proc(5), children)
        try:
            with open(f"/proc/{master}/task/{master}/children", encoding="ascii") as file:
                children |= {int(child) for child in file.read().split()}
        except OSError:
            return set()
    return {child for child in children if _accepts(child)}


def _accepts(child: int) -> bool:
    """Whether a child of the master takes requests, or is about to: a new worker has the master's title at first."""
    try:
        with open(f"/proc/{child}/cmdline", "rb") as file:
            title = file.read()
    except OSError:  # it has just ended
        return False
    return title.startswith(b"nginx: ") and not title.startswith(b"nginx: cache ") and b"shutting down" not in title


def setting(host: Host, name: str) -> str:
    """The value of a directive with one word in nginx.conf itself; empty if there is none."""
    try:
        with open(os.path.join(host.etc, "nginx.conf"), encoding="utf-8", errors="replace") as file:
            found = re.search(_SETTING.format(name=name), file.read(), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


class Verdict(NamedTuple):
    """The result of nginx's test of a configuration."""

    complaint: str = ""  # why it refuses it; empty when it is fine
    conflicts: tuple[str, ...] = ()  # the names that two of its servers have on one port: it ignores one of them


def test(host: Host) -> Verdict:
    """Have nginx read the configuration in the shadow folder. Raises errors.Unavailable if it cannot be asked."""
    complaint, output = _ask(host, "-t", "-q", "-c", os.path.join(host.shadow, "nginx.conf"))
    found = re.findall(r'\[warn\] [^\n]*conflicting server name "([^"]*)" on ', output)
    return Verdict(complaint, tuple(sorted({*found})))


def other_sites(host: Host, name: str) -> list[str]:
    """The host's own files that have a server of that name, without what they include."""
    found = []
    for folder, pattern in (("", r"nginx[.]conf"), ("conf.d", r".*[.]conf"), ("sites-enabled", r"[^.].*")):
        place = os.path.join(host.etc, folder)
        for entry in sorted(os.listdir(place)) if os.path.isdir(place) else []:
            path = os.path.join(place, entry)
            if re.fullmatch(pattern, entry) and path != host.include and name in _server_names(path):
                found.append(path)
    return found


def _server_names(path: str) -> set[str]:
    """The names of all servers in a file, without comments."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = re.sub(r"(?m)(^|[ \t;{}])#.*$", r"\1", file.read())
    except OSError:
        return set()
    return {
        word.strip("\"'").lower()
        for words in re.findall(r"\bserver_name[ \t\r\n]+([^;]*);", text)
        for word in words.split()
    }


def reload(host: Host) -> str:
    """Reload nginx. Return its complaint about the files; empty if it took the signal.

    `nginx -s` reads the whole configuration itself before it signals, so a file that is bad is told here.
    """
    return _ask(host, *host.arguments, "-s", "reload")[0]


def reopen(host: Host) -> str:
    """Have nginx reopen its logs. Return its complaint; empty if it took the signal."""
    return _ask(host, *host.arguments, "-s", "reopen")[0]


def error_position(host: Host) -> int:
    """The present end of nginx's error log, for new_error()."""
    try:
        return os.path.getsize(_error_log(host))
    except OSError:
        return 0


def new_error(host: Host, position: int) -> str:
    """The complaints of nginx's master since then; empty if there are none or the log cannot be read."""
    try:
        with open(_error_log(host), "rb") as file:
            file.seek(position)
            text = file.read(65536).decode(errors="replace")
    except OSError:
        return ""
    found = re.findall(r"\[emerg\] [^:\n]*: (.*)", text)
    return found[0] if found else ""


def ask_proof(host: Host, app: str) -> str:
    """What nginx answers on the app's proof name (see render.proof_of); empty if it has no such name.

    One that runs is given time: taken for silent on a busy host, it would seem to have lost the route.
    """
    request = f"GET / HTTP/1.0\r\nHost: {app}{PROOF_DOMAIN}\r\n\r\n"
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", host.place.port), timeout=10) as connection:
            connection.sendall(request.encode())
            while len(answer) < 16384:
                part = connection.recv(4096)
                if not part:
                    break
                answer += part
    except OSError:
        return ""
    head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
    return body if " 200 " in head[:16] and re.fullmatch(GENERATION + "~[0-9a-f]{8}", body) else ""


def wait_for_proof(host: Host, app: str, wanted: str, former: set[int], seconds: float, position: int) -> str:
    """Wait until nginx answers `wanted` and no worker of `former` takes requests any more (they do for 0.1 s).

    What is wrong when that does not come; empty when it does. position: from error_position() before the reload.
    """
    begun = time.monotonic()
    while any(map(_accepts, former)) or ask_proof(host, app) != wanted:
        said, waited = new_error(host, position), time.monotonic() - begun
        if said or waited > seconds:
            return said or f"it did not apply the new configuration within {seconds:g} seconds"
        time.sleep(0.005 if waited < 0.3 else 0.05)
    return ""


def open_file_limit(host: Host) -> int:
    """How many files nginx's master may have open; 0 if that cannot be told."""
    return file_limit(pid(host))


def last_exhaustion(host: Host) -> tuple[float, str] | None:
    """When nginx last complained in its error log that connections or files had run out, and its words.

    In seconds since 1970. None if it did not within what the log's end tells, or the log cannot be read.
    """
    try:
        with open(_error_log(host), "rb") as file:
            file.seek(max(0, os.path.getsize(_error_log(host)) - _LOG_END))
            text = file.read(_LOG_END).decode(errors="replace")
    except OSError:
        return None
    found = re.findall(_EXHAUSTION, text, re.MULTILINE)
    try:
        return (time.mktime(time.strptime(found[-1][0], "%Y/%m/%d %H:%M:%S")), found[-1][1]) if found else None
    except (ValueError, OverflowError):
        return None


def file_limit(process: int) -> int:
    """How many files a process may have open; 0 if that cannot be told."""
    try:
        with open(f"/proc/{process}/limits", encoding="ascii") as file:
            found = re.search(r"^Max open files +(\d+)", file.read(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _error_log(host: Host) -> str:
    return setting(host, "error_log") or os.path.join(host.place.logs, "error.log")


def _ask(host: Host, *arguments: str) -> tuple[str, str]:
    """Run nginx as root; its complaint, without what only nginx cares about, and all that it printed.

    nginx makes the logs of an app when it first tests its file, and as Debian has it only root and the group adm, which
    paas is in, read them: hence the group and the umask.
    """
    import subprocess

    argv = [_BINARY, *arguments]
    if os.geteuid() != 0:
        argv = ["sudo", "-n", "-u", "root", "-g", _LOG_READERS, *argv]
    try:
        with _raised_file_limit():
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                umask=0o027,
            )
        _, said = child.communicate(timeout=60)
    except FileNotFoundError as error:
        raise api.errors.Unavailable(
            f"{error.filename} is not installed", "on the host: sudo apt-get install nginx sudo"
        ) from None
    except subprocess.TimeoutExpired:
        with contextlib.suppress(PermissionError):  # behind sudo it is root's
            child.kill()
        raise api.errors.Unavailable("nginx did not answer within 60 seconds", "as root: nginx -t") from None
    if child.returncode == 0:
        return "", said
    said = said.strip()
    if said.startswith("sudo:") and "nginx:" not in said:  # sudo also warns of a host name without an address
        raise api.errors.Unavailable(
            f"nginx cannot be run as root: {said.splitlines()[0]}", "as root: minipaas install"
        )
    found = re.findall(r"\[(?:emerg|error|crit)\] (?:\d+#\d+: )?(.*)", said)
    return found[0] if found else said or f"nginx ended with status {child.returncode}", said


@contextlib.contextmanager
def _raised_file_limit():
    """nginx opens every app's logs when it tests all of them; the usual soft limit is reached with 500 apps.

    Raised in this process for the moment of the start: to do it in the child would have all our memory copied for it.
    """
    import resource

    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (former[1], former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)

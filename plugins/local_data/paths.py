"""Which of the files that a process has written look like data that somebody wants to keep. Pure."""

import re

_DATABASE = re.compile(
    r"(.+\.(?:db|db3|sqlite[a-z0-9]*|rdb|aof|mdb|realm))(?:-(?:wal|shm|journal))?", re.IGNORECASE | re.DOTALL
)
_FOLDERS = frozenset({"uploads", "upload", "media", "attachments", "data", "storage", "userfiles", "user_uploads"})
# Folders in which programs put what they can make again.
_PASSING = frozenset(
    {
        "tmp",
        "temp",
        "cache",
        "caches",
        ".cache",
        "log",
        "logs",
        "run",
        "proc",
        "sys",
        "dev",
        "node_modules",
        "__pycache__",
        "site-packages",
        "dist-packages",
        ".npm",
        ".git",
        "sessions",
        "framework",
        "views",
        "compiled",
        "pids",
        "sockets",
        ".bundle",
        ".local",
        ".config",
    }
)
_PROGRAMS = frozenset(
    {"apt", "dpkg", "systemd", "nginx", "php", "pam", "ucf", "misc", "alternatives", "locales", "polkit-1"}
)


def data_of(path: str) -> str:
    """The part of an absolute path to report: a database, or the folder of uploads; empty if it is not data."""
    parts = path.split("/")[1:]
    if not path.startswith("/") or any(part.lower() in _PASSING for part in parts[:-1]):
        return ""
    if database := _DATABASE.fullmatch(parts[-1]):  # SQLite writes into the -wal beside it first
        return "/".join([*path.split("/")[:-1], database[1]])
    if parts[:2] == ["var", "lib"]:
        return "/" + "/".join(parts[:3]) if len(parts) > 3 and parts[2] not in _PROGRAMS else ""
    for place, part in enumerate(parts[:-1], 1):
        if part.lower() in _FOLDERS:
            return "/" + "/".join(parts[:place])
    return ""


def data(files: tuple[str, ...], volumes: tuple[str, ...]) -> list[str]:
    """What of the files that a process wrote, and of its unnamed volumes, looks like data; each place once, sorted."""
    places = {data_of(path) for path in files} | {
        path for path in volumes if not _PASSING & set(path.lower().split("/"))
    }
    places.discard("")
    return sorted(place for place in places if not any(place.startswith(other + "/") for other in places))

"""Write files that are whole at any moment: a reader, or a machine after a power cut, finds old content or new."""

import contextlib
import os
import re


def write(path: str, content: str | bytes, mode: int = 0o600) -> None:
    """Put a file in place, or replace it. A link at `path` is replaced, not followed. Raises OSError."""
    temporary = f"{path}.new-{os.getpid()}"
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
        sync_folder(os.path.dirname(os.path.abspath(path)))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def is_unfinished(name: str) -> bool:
    """Whether that is the name of a file that `write` has not put in place: being written, or left by a kill."""
    return bool(re.search(r"[.]new-[0-9]+\Z|[.][0-9]+[.]new\Z", name))  # the second until 0.1


def remove(path: str) -> None:
    """Remove a file for good, if it is there. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sync_folder(os.path.dirname(os.path.abspath(path)))


def sync_folder(folder: str) -> None:
    """Make the names in a folder survive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

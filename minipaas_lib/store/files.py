"""Files and folders, written durably and readable by their owner only."""

import contextlib
import errno
import os

_READ_SIZE = 65536  # bytes


def contents(location: str) -> bytes:
    """The bytes of a file. Raises OSError."""
    descriptor = os.open(location, os.O_RDONLY)
    try:
        data = part = os.read(descriptor, _READ_SIZE)
        while part:
            part = os.read(descriptor, _READ_SIZE)
            data += part
        return data
    finally:
        os.close(descriptor)


def write(location: str, data: bytes, durably: bool = True, until: float | None = None) -> None:
    """Make a new file, with the modification time `until` (UTC seconds) if given. Raises OSError."""
    descriptor = os.open(location, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        if until is not None:
            os.utime(descriptor, (until, until))
        if durably:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(folder: str) -> None:
    """Remove a folder and its content, if it exists."""
    with contextlib.suppress(FileNotFoundError):
        empty(folder)
        os.rmdir(folder)


def empty(folder: str) -> None:
    """Remove the content of `folder`."""
    with os.scandir(folder) as iterator:
        entries = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in iterator]
    for path, is_folder in entries:
        if is_folder:
            empty(path)
            os.rmdir(path)
        else:
            os.unlink(path)


def make_whole(folder: str, fill) -> None:
    """Make the new folder `folder` atomically: `fill(part)` makes it under another name first. Raises OSError."""
    from minipaas_lib.toolkit import durable_file

    part = folder + ".part"
    if os.path.exists(folder):
        raise FileExistsError(errno.EEXIST, f"{folder} exists already")
    discard(part)
    try:
        fill(part)
        os.sync()
        os.rename(part, folder)
        durable_file.sync_folder(os.path.dirname(os.path.abspath(folder)))
    finally:
        discard(part)

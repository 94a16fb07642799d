"""Read files of a build context, which is untrusted: no symbolic link is followed."""

import errno
import os
import stat

from minipaas_lib import errors, names


def read_file(context: str, name: str, limit: int) -> bytes | None:
    """The content of the regular file `name` (slashes allowed) below the folder `context`; None if there is none.

    limit: bytes. Raises errors.InvalidFile if it is larger, not a regular file, reached through a symbolic link, or
    `name` leads out of the context.
    """
    handle = _open(context, name)
    if handle is None:
        return None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise errors.InvalidFile(f"{_shown(name)} is not a file", f"commit a file named {_shown(name)}")
    with open(handle, "rb") as file:
        if status.st_size > limit:
            raise errors.InvalidFile(
                f"{_shown(name)} has {status.st_size:,} bytes; the limit is {limit:,}", "make it smaller"
            )
        return file.read(limit)


def is_folder(context: str, name: str) -> bool:
    """Whether `name` below `context` is a folder, without a symbolic link in its path."""
    try:
        handle = _open(context, name)
    except errors.InvalidFile:
        return False
    if handle is None:
        return False
    try:
        return stat.S_ISDIR(os.fstat(handle).st_mode)
    finally:
        os.close(handle)


def _open(context: str, name: str) -> int | None:
    """A descriptor of `name`, opened one component at a time; None if it does not exist."""
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise errors.InvalidFile(
            f"{_shown(name)} is not a path inside the repository", "give a path such as: docker/Dockerfile"
        )
    descriptor = os.open(context, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for index, part in enumerate(parts):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # NONBLOCK: a pipe must not block
        if index < len(parts) - 1:
            flags |= os.O_DIRECTORY
        try:
            following = os.open(part, flags, dir_fd=descriptor)
        except OSError as error:
            if _is_link(part, descriptor):
                raise errors.InvalidFile(
                    f"{_shown('/'.join(parts[: index + 1]))} is a symbolic link, which is not followed",
                    "commit the file itself in its place",
                ) from None
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                return None
            raise errors.InvalidFile(
                f"{_shown(name)} cannot be read: {error.strerror}", "commit a plain file"
            ) from None
        finally:
            os.close(descriptor)
        descriptor = following
    return descriptor


def _is_link(part: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(part, dir_fd=folder).st_mode)
    except OSError:
        return False


def _shown(name: str) -> str:
    return names.safe(name)[1:-1]

"""Remove and walk folders with untrusted content: without recursion, however deep, and without following links.

shutil.rmtree, and os.walk before Python 3.12, recurse for each level: a thousand levels are too many.
"""

import contextlib
import os
import stat
from collections.abc import Iterator

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: str) -> bool:
    """Remove a file or a folder with its content; return whether `path` is gone.

    A link is removed, not its target. What cannot be removed is left, and all the rest is removed. May be killed at any
    time and repeated.
    """
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            folder = _opened(path)
            try:
                _empty(folder)
            finally:
                os.close(folder)
            os.rmdir(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return True
    except OSError:
        return not os.path.lexists(path)
    return True


def walk(path: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield (folder, names of its folders, names of all else in it), `path` itself first, like os.walk.

    Links to folders do not count as folders. What cannot be read is left out.
    """
    waiting = [path]
    while waiting:
        place = waiting.pop()
        inner: list[str] = []
        others: list[str] = []
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                (inner if entry.is_dir(follow_symlinks=False) else others).append(entry.name)
        yield place, inner, others
        waiting += [os.path.join(place, name) for name in inner]


def _empty(top: int) -> None:
    """Remove the content of the folder. Nested folders are moved up to `top` before they are emptied.

    So two descriptors are enough, and no path is longer than one name.
    """
    token = os.urandom(8).hex()  # a name that does not exist yet
    waiting, moved = _clear(top), 0
    while waiting:
        name = waiting.pop()
        with contextlib.suppress(OSError):
            folder = _opened(name, top)
            try:
                for inner in _clear(folder):
                    moved += 1
                    fresh = f".{token}.{moved}"
                    if _moved(inner, folder, fresh, top):
                        waiting.append(fresh)
            finally:
                os.close(folder)
            os.rmdir(name, dir_fd=top)


def _clear(folder: int) -> list[str]:
    """Remove everything in the folder but other folders, and return the names of those."""
    inner = []
    with os.scandir(folder) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in names:
        if is_folder:
            inner.append(name)
        else:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
    return inner


def _moved(name: str, folder: int, fresh: str, top: int) -> bool:
    """Move a folder to `top`, under another name; return whether that succeeded."""
    for attempt in range(2):
        try:
            os.rename(name, fresh, src_dir_fd=folder, dst_dir_fd=top)
            return True
        except PermissionError:  # moving a folder writes its entry `..`
            if attempt == 0:
                _make_writable(name, folder)
        except OSError:
            return False
    return False


def _opened(name: str, folder: int | None = None) -> int:
    """A descriptor of the folder `name`, made writable if this user owns it. Raises OSError."""
    try:
        handle = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=folder)
    except PermissionError:
        _make_writable(name, folder)
        return os.open(name, os.O_RDONLY | _FOLDER, dir_fd=folder)
    if os.fstat(handle).st_mode & 0o700 != 0o700:
        with contextlib.suppress(OSError):
            os.fchmod(handle, 0o700)
    return handle


def _make_writable(name: str, folder: int | None) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(name, os.O_PATH | _FOLDER, dir_fd=folder)
        try:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)  # chmod by name would follow a link
        finally:
            os.close(handle)

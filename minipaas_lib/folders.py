"""Remove and walk folders that strangers have filled: nothing recurses, however deep they are, and no link is followed.

shutil.rmtree, and os.walk before Python 3.12, call themselves once for each level: a thousand levels are too many.
"""

import contextlib
import os
import stat
from collections.abc import Iterator

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: str) -> bool:
    """Remove what is at `path`, a folder with all that is in it; whether nothing is there any more.

    A link is removed, not what it leads to. What cannot be removed is left, and all the rest is removed. May be killed
    at any time and repeated.
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
    """(folder, names of the folders in it, names of all else in it), `path` itself first, as os.walk does.

    A link to a folder is no folder. What cannot be read is left out.
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
    """Remove all that is in the folder. A folder inside a folder moves up to `top` before it is looked into.

    So two descriptors are enough, and no path is longer than one name.
    """
    token = os.urandom(8).hex()  # no name that is there already
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
    """Remove what is in the folder but for other folders, whose names are returned."""
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
    """Move a folder to `top`, under another name; whether that could be done."""
    for attempt in range(2):
        try:
            os.rename(name, fresh, src_dir_fd=folder, dst_dir_fd=top)
            return True
        except PermissionError:  # of a folder that moves, its own entry `..` is written
            if attempt == 0:
                _make_writable(name, folder)
        except OSError:
            return False
    return False


def _opened(name: str, folder: int | None = None) -> int:
    """A descriptor of the folder `name`, whose entries we may remove if it is ours at all. Raises OSError."""
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

"""Make the heavy libraries (docker, gevent, jinja2, tomlkit, sh, etcd, ...) importable.

In the zipapp they are one archive, `vendor.zip`: listing all their modules in the zip would slow every start, and
gevent's compiled parts cannot be loaded from a zip. It is unpacked once per version to `<root>/runtime/<version>/`. In
a checkout the interpreter has the libraries itself, and this does nothing.
"""

import os
import sys

from minipaas_lib import errors, paths

_KEPT = 2  # versions: the present one and the previous one, which deploys begun before an upgrade still import from


def activate() -> None:
    """Put the folder of the heavy libraries on sys.path, unpacking it first if this version never ran here.

    Safe to call often and from many processes at once. Raises errors.Unavailable if it cannot be unpacked.
    """
    try:
        from minipaas_build import VENDOR
    except ImportError:  # a checkout
        return
    folder = os.path.join(paths.root(), "runtime", VENDOR)
    if folder in sys.path:
        return
    if not os.path.isdir(folder):
        try:
            _unpack(folder)
        except OSError as error:
            raise errors.Unavailable(
                f"the libraries of this version cannot be unpacked to {folder}: {error.strerror or error}",
                "free some space or check the folder's owner, then run as root: minipaas install",
            ) from error
    sys.path.append(folder)


def _unpack(folder: str) -> None:
    """Unpack vendor.zip to `folder` atomically. Raises OSError."""
    import fcntl

    from minipaas_lib import folders

    parent, version = os.path.split(folder)
    os.makedirs(parent, mode=0o755, exist_ok=True)
    lock = os.open(os.path.join(parent, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(folder):  # another process was faster
            return
        for name in os.listdir(parent):  # under the lock these are leftovers of dead processes
            if name.startswith(".unpacking-"):
                folders.remove(os.path.join(parent, name))
        temporary = os.path.join(parent, f".unpacking-{version}")
        try:
            _extract(temporary)
            os.rename(temporary, folder)
        except OSError:
            folders.remove(temporary)  # a full disk gets its space back
            raise
        _prune(parent, keep=version)
    finally:
        os.close(lock)


def _extract(target: str) -> None:
    import compileall
    import io
    import py_compile
    import zipfile

    os.mkdir(target, 0o755)
    with zipfile.ZipFile(io.BytesIO(paths.resource("vendor.zip"))) as archive:
        archive.extractall(target)
    for place, _, files in os.walk(target):  # whatever the caller's umask: paas and root share these files
        os.chmod(place, 0o755)
        for name in files:
            os.chmod(os.path.join(place, name), 0o644)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(target, quiet=2, stripdir=target, invalidation_mode=mode)
    os.sync()  # the rename must not reach the disk before the files do


def _prune(parent: str, keep: str) -> None:
    """Remove old versions except the newest before `keep` and those that a running process has loaded."""
    from minipaas_lib import folders

    versions = [name for name in os.listdir(parent) if not name.startswith(".") and name != keep]
    versions.sort(key=lambda name: os.stat(os.path.join(parent, name)).st_mtime, reverse=True)
    for name in versions[_KEPT - 1 :]:
        folder = os.path.join(parent, name)
        if not _loaded(folder):
            folders.remove(folder)


def _loaded(folder: str) -> bool:
    """Whether a running process, as far as they can be inspected, has mapped a compiled module of `folder`."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
                if any(folder + "/" in line for line in maps):
                    return True
        except OSError:  # it ended, or it is another user's
            continue
    return False

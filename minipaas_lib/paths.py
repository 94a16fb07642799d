"""Paths on this host, below one root folder (MINIPAAS_ROOT), so that tests can have their own."""

import os

PAAS_USER = "paas"


def root() -> str:
    """The folder that holds all state of this host."""
    return os.environ.get("MINIPAAS_ROOT", "/var/lib/minipaas")


def state() -> str:
    """The tree of TOML documents (directory store)."""
    return os.path.join(root(), "state")


def locks() -> str:
    return os.path.join(root(), "locks")


def repository(app: str) -> str:
    """The bare git repository of an app."""
    return os.path.join(root(), "repos", app + ".git")


def first_pushes() -> str:
    """Temporary repositories of pushes to names that no app has."""
    return os.path.join(root(), "first-pushes")


def output(app: str) -> str:
    """The folder of kept build and deploy output of an app."""
    return os.path.join(root(), "output", app)


def cache(*parts: str) -> str:
    """A folder for things that can be regenerated."""
    return os.path.join(root(), "cache", *parts)


def work() -> str:
    """Build contexts and other scratch folders; emptied by recovery."""
    return os.path.join(root(), "work")


def nginx(*parts: str) -> str:
    return os.path.join(root(), "nginx", *parts)


def plugins() -> str:
    """Installed third-party plugins."""
    return os.path.join(root(), "plugins")


def plugin_data(plugin: str) -> str:
    """The private folder of an installed plugin, for files of its own."""
    return os.path.join(root(), "plugin-data", plugin)


def authorized_keys() -> str:
    """The authorized_keys file of paas; empty if there is no such user.

    With MINIPAAS_ROOT it is a file of its own, so that no test lets anybody in.
    """
    if "MINIPAAS_ROOT" in os.environ:
        return os.environ.get("MINIPAAS_AUTHORIZED_KEYS") or os.path.join(root(), "ssh", "authorized_keys")
    home = os.path.expanduser(f"~{PAAS_USER}")
    return "" if home.startswith("~") else os.path.join(home, ".ssh", "authorized_keys")


def program() -> str:
    """The command that git hooks, sshd and cron run: the zipapp installed on this host, or this checkout."""
    return os.environ.get("MINIPAAS_PROGRAM", "/usr/local/bin/minipaas")


def source() -> str:
    """The location of plugins/, hooks/ and nginx/: a checkout, the zipapp, or minipaas_lib in a wheel."""
    package = os.path.dirname(os.path.abspath(__file__))
    return package if os.path.isdir(os.path.join(package, "plugins")) else os.path.dirname(package)


def resource(name: str) -> bytes:
    """A file shipped with the code (`nginx/app.conf.j2`), from the checkout, the wheel or inside the zipapp.

    In the zipapp, rarely used files are in its inner archive of sources. Raises FileNotFoundError (an OSError) if there
    is none of that name.
    """
    loader = globals()["__loader__"]
    try:
        return loader.get_data(os.path.join(source(), *name.split("/")))
    except OSError:
        if os.path.isdir(source()):
            raise
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(loader.get_data(os.path.join(source(), "source.zip")))) as sources:
        if name not in sources.namelist():
            raise FileNotFoundError(name)
        return sources.read(name)


caller_directory = ""
"""The caller's folder before root's command switched to paas; empty if it did not."""


def open_as_caller(path: str):
    """Open a file named by the caller for reading bytes, with the caller's rights, relative to the caller's folder.

    The local command line runs as paas even if root started it (see main.become_paas). Raises OSError.
    """
    _, effective, saved = os.getresuid()
    path = os.path.join(caller_directory, path)
    if effective == saved:
        return open(path, "rb")
    os.seteuid(saved)
    try:
        return open(path, "rb")
    finally:
        os.seteuid(effective)


def forget_caller() -> None:
    """Give up the way back to root that main.become_paas keeps, in a child that runs on or runs untrusted code."""
    user = os.geteuid()
    os.setresuid(user, user, user)

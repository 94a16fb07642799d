"""The file that sshd reads, made from the store.

Lines with our forced command are ours and are replaced; all other lines are a person's own and stay.
"""

import os

from minipaas_lib import api

_OURS = 'command="minipaas --key '


def location() -> str:
    """Where sshd looks for the keys of paas. Raises errors.BadConfig.

    A scratch world (MINIPAAS_ROOT) has a file of its own, so that no test lets anybody in.
    """
    if "MINIPAAS_ROOT" in os.environ:
        return os.environ.get("MINIPAAS_AUTHORIZED_KEYS") or os.path.join(api.paths.root(), "ssh", "authorized_keys")
    home = os.path.expanduser(f"~{api.paths.PAAS_USER}")
    if home.startswith("~"):
        raise api.errors.BadConfig(f"there is no user {api.paths.PAAS_USER} on this host", "sudo ./install.sh")
    return os.path.join(home, ".ssh", "authorized_keys")


def line(name: str, key) -> str:
    """The line of one key (see public_key.PublicKey).

    `restrict` forbids all that ssh offers beside the command; `pty` is for run and enter. The command has no path:
    the login shell git-shell finds it in ~/git-shell-commands.
    """
    return f'restrict,pty,{_OURS}{name}" {key.line}'


def render(present: str, keys: list[tuple[str, object]]) -> str:
    """The file's new text: the lines that are not ours, then one for each (name, key)."""
    others = [text for text in present.split("\n") if text.strip() and _OURS not in text]
    return "".join(text + "\n" for text in [*others, *(line(name, key) for name, key in keys)])


def is_current(keys: list[tuple[str, object]]) -> bool:
    """Whether the file says what the store says. Raises OSError."""
    present = _read(location())
    return render(present, keys) == present


def write(keys: list[tuple[str, object]]) -> bool:
    """Make the file say what the store says; whether it had to be written. The caller holds the lock of the keys.

    sshd sees the old file or the new one, whole. Raises OSError.
    """
    path = location()
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    present = _read(path)
    text = render(present, keys)
    if text == present and os.path.exists(path):
        return False
    scratch = path + ".new"
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        os.fsync(descriptor)
    os.rename(scratch, path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""

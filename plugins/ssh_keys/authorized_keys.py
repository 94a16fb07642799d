"""The file that sshd reads, made from the store.

Lines with minipaas' forced command are replaced; all other lines stay.
"""

import os

from minipaas_lib import api
from plugins.ssh_keys.public_key import PublicKey

_OURS = 'command="minipaas --key '


def location() -> str:
    """The file in which sshd looks for the keys of paas. Raises errors.BadConfig."""
    path = api.paths.authorized_keys()
    if not path:
        raise api.errors.BadConfig(f"there is no user {api.paths.PAAS_USER} on this host", "sudo ./install.sh")
    return path


def line(name: str, key: PublicKey) -> str:
    """The line of one key.

    `restrict` forbids all that ssh offers beside the command; `pty` is for run and enter. The command has no path:
    the login shell git-shell finds it in ~/git-shell-commands. It names the key itself too, so that a connection that
    is open already ends with its key (see minipaas_lib.admission).
    """
    words = name if is_before_switch() else f"{name} {key.fingerprint}"
    return f'restrict,pty,{_OURS}{words}" {key.line}'


def is_before_switch() -> bool:
    """Whether this is an upgrade's new program and sshd still runs the one before, which may know no fingerprint."""
    program, own = api.paths.program(), api.paths.source()
    return os.path.isfile(own) and os.path.islink(program) and os.path.realpath(program) != os.path.realpath(own)


def render(present: str, keys: list[tuple[str, PublicKey]]) -> str:
    """The file's new text: the lines of others, then one for each (name, key), sorted by name."""
    others = [text for text in present.split("\n") if text.strip() and _OURS not in text]
    ours = [line(name, key) for name, key in sorted(keys, key=lambda pair: pair[0])]
    return "".join(text + "\n" for text in [*others, *ours])


def is_current(keys: list[tuple[str, PublicKey]]) -> bool:
    """Whether sshd lets in exactly the keys of the store, in whatever order. Raises OSError."""
    ours = [text for text in _read(location()).split("\n") if _OURS in text]
    return sorted(ours) == sorted(line(name, key) for name, key in keys)


def write(keys: list[tuple[str, PublicKey]]) -> bool:
    """Bring the file in line with the store; return whether it was written. The caller holds the lock of the keys.

    sshd sees the old file or the new one, whole. Raises OSError.
    """
    path = location()
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    present = _read(path)
    text = render(present, keys)
    if text == present and os.path.exists(path):
        return False
    api.kernel.durable_file.write(path, text)
    return True


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""

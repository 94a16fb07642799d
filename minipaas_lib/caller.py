"""Who runs this command, where and with which key. Set once by the entry; read by locks and releases."""

import os

_command = ""
_pushing = False


def set_command(name: str) -> None:
    """Remember the command's name, such as `config:set`, for locks and error sentences."""
    global _command, _pushing
    _command, _pushing = name, False


def set_push() -> None:
    """Remember that the command is the hook of a git push, whatever its name."""
    global _pushing
    _pushing = True


def command() -> str:
    return _command


def is_push() -> bool:
    """Whether this process is the hook of a git push."""
    return _pushing


def key() -> str:
    """The name of the SSH key, or `root` on the local command line."""
    return os.environ.get("MINIPAAS_KEY", "root")


def host() -> str:
    return os.uname().nodename

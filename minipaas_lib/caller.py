"""Who runs this command, where and with which key. Set once by the entry; read by locks and releases."""

import os

_command = ""


def set_command(name: str) -> None:
    """Remember the command's name, such as `config:set`, for locks and error sentences."""
    global _command
    _command = name


def command() -> str:
    return _command


def is_push() -> bool:
    """Whether this process is the hook of a git push."""
    return _command == "git:pre-receive"


def key() -> str:
    """The name of the SSH key, or `root` on the local command line."""
    return os.environ.get("MINIPAAS_KEY", "root")


def host() -> str:
    return os.uname().nodename

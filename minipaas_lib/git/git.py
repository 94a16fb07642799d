"""Run git. Only commands that need git load this module."""

import os
import subprocess

from minipaas_lib import errors, names

TIMEOUT = 600.0  # seconds; git hangs only on a dead disk or network
_MESSAGE_LIMIT = 2000  # characters of git's output in an error


class GitFailed(errors.MinipaasError):
    """A git command failed; `message` names it and quotes git's error."""


def environment(**extra: str) -> dict[str, str]:
    """The environment of a git process, without the GIT_* of an enclosing hook and without users' settings.

    Inside a hook, GIT_DIR and the quarantine's variables would direct every git command to the wrong repository.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return {**kept, **settings, **extra}


def run(
    arguments: list[str],
    env: dict[str, str] | None = None,
    timeout: float = TIMEOUT,
    umask: int = 0o077,
    stdin: bytes = b"",
) -> bytes:
    """The stdout of `git <arguments>`, with `stdin` as its input.

    Raises GitFailed, errors.Unavailable when git is missing or hangs.
    """
    command = ["git", *arguments]
    try:
        done = subprocess.run(
            command,
            env=env or environment(),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            umask=umask,
        )
    except FileNotFoundError:
        raise errors.Unavailable("git is not installed on this host", "on the host: sudo apt-get install git") from None
    except subprocess.TimeoutExpired:
        raise errors.Unavailable(
            f"git did not finish within {timeout:.0f} seconds", "look for a full disk: doctor"
        ) from None
    if done.returncode:
        raise GitFailed(f"git {_verb(arguments)} failed: {error_line(done.stderr)}")
    return done.stdout


def succeeds(arguments: list[str]) -> bool:
    """Whether `git <arguments>` exits with status 0."""
    try:
        run(arguments)
    except GitFailed:
        return False
    return True


def error_line(stderr: bytes) -> str:
    """git's error as one printable line: the last `fatal:` or `error:` line, else the last line."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))]
    line = (fatal or lines or ["it said nothing"])[-1]
    for prefix in ("fatal: ", "error: "):
        line = line.removeprefix(prefix)
    return printable(line)[:_MESSAGE_LIMIT]


def printable(text: str) -> str:
    """`text` with everything escaped that a terminal might interpret."""
    return "".join(character if character.isprintable() else names.safe(character)[1:-1] for character in text)


def _verb(arguments: list[str]) -> str:
    values = [after for word, after in zip(arguments, arguments[1:], strict=False) if word in ("-c", "-C")]
    return next((word for word in arguments if not word.startswith("-") and word not in values), "")

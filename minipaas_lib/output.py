"""What the user sees. Data goes to stdout, progress to stderr, line by line.

`-----> ` opens a step, seven spaces continue it, ` !     ` is an error or a warning (the field's usual prefixes).
A deploy's output is also kept in a file (see `keep`), so that it can be shown again.
"""

import contextlib
import os
import sys

from minipaas_lib import errors

# C0 and C1 but the tab, and what changes the direction of text (UAX 9).
_CONTROLS = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*range(9), *range(10, 32), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
_kept: list = []
_deaf = False


def step(text: str) -> None:
    """Open a step of a longer command."""
    _progress("-----> " + text)


def info(text: str) -> None:
    """Continue a step; every line of `text` is indented."""
    for line in text.splitlines() or [""]:
        _progress("       " + line)


def warn(text: str) -> None:
    """A warning or an error; every line of `text` is marked."""
    for line in text.splitlines() or [""]:
        _progress(" !     " + line)


def tame(text: str) -> str:
    """`text` on one line with what a terminal would obey escaped: an app's words reach who looks after it."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def data(text: str) -> None:
    """A result, on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def colours() -> bool:
    """Whether colour may be used on stdout: a terminal, not TERM=dumb, and NO_COLOR unset (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextlib.contextmanager
def keep(path: str):
    """Also append all progress lines to the file `path` while the context lasts, and the error that ends it."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
        _kept.append(file)
        try:
            yield
        except errors.MinipaasError as error:  # it is shown to the user later, by whoever catches it
            with contextlib.suppress(OSError):
                file.write(f" !     {tame(error.message)}\n")
            raise
        finally:
            _kept.remove(file)


def outlive_reader() -> None:
    """From now on go on when nobody reads any more: the command can no longer be cancelled by hanging up."""
    global _deaf
    _deaf = True


def drop() -> None:
    """Nobody reads any more: let nothing that is still said wait for a reader. What is kept in files goes on."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _progress(line: str) -> None:
    line = tame(line)
    for file in _kept:
        with contextlib.suppress(OSError):  # a full disk must not stop a deploy's words to the user
            file.write(line + "\n")
            file.flush()
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        if not _deaf:
            raise

"""Output for the user. Data goes to stdout, progress to stderr, line by line.

`-----> ` opens a step, seven spaces continue it, ` !     ` is an error or a warning (the usual prefixes, as on Heroku).
A deploy's output is also kept in a file (see `keep`), so that it can be shown again.
"""

import contextlib
import os
import re
import sys

from minipaas_lib import errors

# Compiled by re when first used: most commands print nothing that needs it.
# C0 and C1 but the tab, what changes the direction of text or ends a line (UAX 9, UAX 14), and halves of characters.
_CONTROL = "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
_STYLE = "(\x1b\\[[0-9;:]*m)"  # SGR of ECMA-48: colours and weights
_kept: list = []
_deaf = False


def step(text: str) -> None:
    """Open a step of a longer command."""
    _progress("-----> " + text)


def info(text: str) -> None:
    """Continue a step; every line of `text` is indented."""
    for line in _lines(text):
        _progress("       " + line)


def hint(text: str) -> None:
    """What to type next: like info, with this host's address instead of `<user>@<host>`."""
    from minipaas_lib import address

    info(address.fill(text))


def warn(text: str) -> None:
    """A warning or an error; every line of `text` is marked."""
    for line in _lines(text):
        _progress(" !     " + line)


def _lines(text: str) -> list[str]:
    return re.split("\r?\n", text.removesuffix("\n"))


def tame(text: str, styles: bool = False) -> str:
    """`text` on one line with everything escaped that a terminal would interpret: apps and visitors may have sent it.

    With `styles` colours and weights stay.
    """
    if text.isprintable():
        return text
    if styles:
        return "".join(part if re.fullmatch(_STYLE, part) else tame(part) for part in re.split(_STYLE, text))
    return re.sub(_CONTROL, _escaped, text)


def _escaped(match: re.Match) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def data(text: str, styles: bool = False) -> None:
    """Print a result of one or more lines on stdout, each escaped by tame()."""
    exact("\n".join(tame(line, styles) for line in text.split("\n")))


def exact(text: str) -> None:
    """Print a result for programs on stdout unchanged: a value, a script. Untrusted text goes through data()."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def to_json(value, indent: int | None = 2) -> str:
    """JSON without characters that a terminal would interpret, for the same value."""
    import json

    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return "\n".join(re.sub(_CONTROL, lambda match: f"\\u{ord(match[0]):04x}", line) for line in text.split("\n"))


def colours() -> bool:
    """Whether colour may be used on stdout: a terminal, not TERM=dumb, and NO_COLOR unset (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextlib.contextmanager
def keep(path: str):
    """Within the context, also append all progress lines to the file `path`, and the error that ends it."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
        _kept.append(file)
        try:
            yield
        except errors.MinipaasError as error:  # shown to the user later, where it is caught
            with contextlib.suppress(OSError):
                file.write(f" !     {tame(error.message)}\n")
            raise
        finally:
            _kept.remove(file)


def outlive_reader() -> None:
    """Continue if the reader goes away: from now on the command can no longer be cancelled by hanging up."""
    global _deaf
    _deaf = True


def drop() -> None:
    """Discard further output, as the reader has gone, so that nothing blocks on it. Files still get it."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _progress(line: str) -> None:
    line = tame(line)
    for file in _kept:
        with contextlib.suppress(OSError):  # a full disk must not stop the output to the user
            file.write(line + "\n")
            file.flush()
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        if not _deaf:
            raise

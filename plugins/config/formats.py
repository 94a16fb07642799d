"""The forms that config travels in: words of a command line, .env text, shell text, JSON.

No error here shows a value: values are secrets, and errors end up in logs.
"""

import re
from collections.abc import Mapping

from minipaas_lib import api

TEXT_LIMIT = 1024 * 1024  # characters of one import
_PLAIN = "[A-Za-z0-9_./:@%+,=-]*"  # values that need no quotes in any dialect of .env
_ESCAPED = {"\\": "\\\\", '"': '\\"', "$": "\\$", "`": "\\`", "\n": "\\n", "\r": "\\r"}
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$", "`": "`", "\n": ""}


def parse_pairs(words: list[str], app: str = "blog") -> dict[str, str]:
    """The config in words of the form NAME=value, as `config:set` gets them; `app` is for the hints.

    Raises errors.UsageError.
    """
    if not words:
        raise api.errors.UsageError("no NAME=value pairs are given", f"ssh paas@<host> config:set {app} NAME=value")
    config: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise _no_pair(word, list(config), app)
        if not name:
            raise api.errors.UsageError(
                "there is no name before the = sign", f"ssh paas@<host> config:set {app} NAME=value"
            )
        _add(config, name, value)
    return config


def _no_pair(word: str, before: list[str], app: str) -> api.errors.UsageError:
    if word == "-":
        return api.errors.UsageError(
            "- stands alone and takes NAME=value lines from stdin", f"ssh paas@<host> config:set {app} - < .env"
        )
    if before:
        return api.errors.UsageError(
            f"the word after {before[-1]}=... has no = sign; a value with spaces is quoted twice over ssh",
            f"ssh paas@<host> config:set {app} '{before[-1]}=\"a b\"', or give - and send NAME=value lines on stdin",
        )
    if re.fullmatch(api.names.CONFIG_NAME, word) and len(word) <= api.names.CONFIG_NAME_LIMIT:
        return api.errors.UsageError(
            f"{api.names.safe(word)} has no = sign and value", f"ssh paas@<host> config:set {app} {word[:80]}=value"
        )
    return api.errors.UsageError("the first word has no = sign", f"ssh paas@<host> config:set {app} NAME=value")


def parse_env(text: str) -> dict[str, str]:
    """The config in .env text (NAME=value lines) or in a JSON object, as read from stdin. Raises errors.UsageError.

    `export `, comments and blank lines are fine. Single quotes keep everything, as in sh; double quotes know the
    escapes \\n \\r \\t \\\\ \\" \\$ \\`; both may span lines. Nothing is expanded.
    """
    if len(text) > TEXT_LIMIT:
        raise api.errors.UsageError("the text is longer than 1 MiB", "send only NAME=value lines")
    text = text.removeprefix("\ufeff")
    if "\r\n" in text and not re.search(r"(?<!\r)\n", text):  # a Windows file: its line ends are not part of values
        text = text.replace("\r\n", "\n")
    if text.lstrip().startswith("{"):
        return _parse_json(text)
    config: dict[str, str] = {}
    position, line = 0, 1
    while position < len(text):
        following = _entry(text, position, line, config)
        line += text.count("\n", position, following)
        position = following
    return config


_HEAD = re.compile(r"[ \t]*(?:export[ \t]+)?([^=\n]*)(=?)[ \t]*")


def _entry(text: str, start: int, number: int, config: dict[str, str]) -> int:
    """Read the entry that starts at `start`, in that line, into `config`; where the next line starts."""
    end = _line_end(text, start)
    line = text[start:end].strip()
    if not line or line.startswith("#"):
        return end + 1
    head = _HEAD.match(text, start)
    assert head, "the pattern matches any text"
    name = head[1].rstrip(" \t")
    where = f"line {number}"
    if not head[2]:
        raise api.errors.UsageError(
            f"{where} has no = sign", "write each line as NAME=value, with quotes around a value of several lines"
        )
    if not name:
        raise api.errors.UsageError(f"{where} has no name before the = sign", "write it as NAME=value")
    if text[head.end() : head.end() + 1] in ("'", '"'):
        value, end = _quoted(text, head.end(), where)
    else:
        value = _unquoted(text[head.end(2) : end])
    _add(config, name, value, f"{where}: ")
    return end + 1


def _unquoted(raw: str) -> str:
    """The value in the rest of a line: without a comment and the blanks around it."""
    return re.split("[ \t]#", raw, maxsplit=1)[0].strip(" \t\r")


def _quoted(text: str, position: int, where: str) -> tuple[str, int]:
    """The value made of the quoted pieces from `position` on, and where its last line ends.

    Pieces join as in sh, because 'it'\\''s' is how sh writes a single quote.
    """
    value = []
    while position < len(text) and text[position] in "'\"\\":
        piece = _PIECE.match(text, position)
        if not piece:
            raise api.errors.UsageError(f"{where} opens a quote that is never closed", "close it with the same quote")
        if piece[1] is not None:
            value.append(piece[1])
        elif piece[2] is not None:
            value.append(_unescape(piece[2]))
        else:
            value.append(piece[3])
        position = piece.end()
    end = _line_end(text, position)
    if not re.fullmatch(r"[ \t\r]*|[ \t]+#.*", text[position:end], re.DOTALL):
        raise api.errors.UsageError(
            f"{where} goes on after the closing quote", 'put the whole value in quotes, with \\" for a quote inside'
        )
    return "".join(value), end


_PIECE = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\([^\n])""", re.DOTALL)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _UNESCAPED.get(found[1], found[0]), text, flags=re.DOTALL)


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _parse_json(text: str) -> dict[str, str]:
    import json

    try:
        # Numbers stay as they were typed: 1.10 is not 1.1.
        pairs = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=tuple)
    except json.JSONDecodeError as error:
        raise api.errors.UsageError(
            f"the JSON is not valid at line {error.lineno}, column {error.colno} ({error.msg})", "correct it"
        ) from None
    except RecursionError:
        raise api.errors.UsageError("the JSON is nested too deeply", _FLAT) from None
    config: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str):
            raise api.errors.UsageError(
                f"the value of {api.names.safe(name)} is not text, a number, true or false", _FLAT
            )
        _add(config, name, value)
    return config


_FLAT = 'send one flat object such as {"NAME": "value"}'


def _add(config: dict[str, str], name: str, value: str, where: str = "") -> None:
    """Add a checked pair to `config`."""
    try:
        api.names.settable_config_name(name)
        api.names.config_value(name, value)
    except api.errors.UsageError as error:
        raise api.errors.UsageError(where + error.message, error.hint) from None
    if name in config:
        raise api.errors.UsageError(f"{where}{api.names.safe(name)} is given twice", "keep one of them")
    config[name] = value


def decode(config: Mapping[str, str]) -> dict[str, str]:
    """`config` with its values decoded from base64 (`config:set --encoded`). Raises errors.UsageError."""
    import base64

    decoded: dict[str, str] = {}
    for name, value in config.items():
        try:
            text = base64.b64decode(value.encode("ascii"), validate=True).decode("utf-8")
        except ValueError:  # binascii.Error and both UnicodeErrors are ValueErrors
            raise api.errors.UsageError(
                f"the value of {api.names.safe(name)} is not base64 of UTF-8 text", "encode it with: base64 -w0"
            ) from None
        decoded[name] = api.names.config_value(name, text)
    return decoded


def to_shell(config: Mapping[str, str]) -> str:
    """NAME='value' lines that sh evaluates to exactly these values, by `eval` or by `set -a; . file`."""
    quoted = {name: value.replace("'", "'\\''") for name, value in config.items()}
    return "".join(f"{name}='{value}'\n" for name, value in quoted.items())


def to_env_lines(config: Mapping[str, str]) -> str:
    """.env text with exactly one line for each variable; values are in double quotes where they need any."""
    return "".join(f"{name}={_env_value(value)}\n" for name, value in config.items())


def _env_value(value: str) -> str:
    if re.fullmatch(_PLAIN, value):
        return value
    return '"' + "".join(_ESCAPED.get(character, character) for character in value) + '"'


def to_json(config: Mapping[str, str]) -> str:
    """One JSON object, indented, with a line end."""
    return api.output.to_json(dict(config)) + "\n"

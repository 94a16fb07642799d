"""What bin/release prints, a small YAML document (devcenter.heroku.com/articles/buildpack-api#bin-release). Pure.

Read is what buildpacks write: maps of plain or quoted text below top-level keys, lists of text, `{}` and `[]`. Anything
else of YAML is refused with its line, so that nothing is understood wrongly.
"""

import json
import re

from minipaas_lib import api

SIZE_LIMIT = 64 * 1024  # bytes
_KEY = r"(?P<key>[A-Za-z0-9_.-]+|\"[^\"\\]*\"|'[^']*')[ \t]*:(?:[ \t]+(?P<value>.*))?"
_NOT_PLAIN = "&*!|>%@`[{"  # what begins a YAML construct of another kind


def parse(data: bytes) -> dict[str, dict[str, str] | list[str]]:
    """The document: top-level key -> map or list of text; an empty one is {}. Raises errors.InvalidFile."""
    if len(data) > SIZE_LIMIT:
        raise api.errors.InvalidFile("bin/release printed more than 64 KiB", "correct the buildpack")
    try:
        lines = re.split("\r\n|\n|\r", data.decode("utf-8-sig"))  # YAML's line breaks, and no others
    except UnicodeDecodeError:
        raise api.errors.InvalidFile("bin/release printed what is not UTF-8", "correct the buildpack") from None
    found: dict[str, dict[str, str] | list[str]] = {}
    top, inner = "", None  # the top-level key we are below, and the indentation there
    for number, line in enumerate(lines, 1):
        line = line.rstrip(" \t")
        text = line.lstrip(" ")
        if not text or text.startswith("#") or line in ("---", "...", "--- {}", "{}"):
            continue
        indent = len(line) - len(text)
        if indent == 0 and not text.startswith("- "):
            top, inner = _top(found, text, number), None
            continue
        if not top or (inner is not None and indent != inner) or text.startswith("\t"):
            raise _wrong(number, "the indentation is wrong for a list or map of text")
        inner = indent
        _item(found, top, text, number)
    return found


def section(document: dict, name: str) -> dict[str, str]:
    """A section that is a map; {} where there is none. Raises errors.InvalidFile."""
    value = document.get(name) or {}
    if not isinstance(value, dict):
        raise api.errors.InvalidFile(f"bin/release: {name} is not a map", "correct the buildpack")
    return value


def _top(found: dict, text: str, number: int) -> str:
    key, value = _pair(text, number)
    if key in found:
        raise _wrong(number, f"{api.names.safe(key)} appears twice")
    if value == "[]":
        found[key] = []
    elif value in ("", "{}", "null", "~"):
        found[key] = {}
    else:
        raise _wrong(number, f"{api.names.safe(key)} is neither a map nor a list")
    return key


def _item(found: dict, top: str, text: str, number: int) -> None:
    here = found[top]
    if text.startswith("- "):
        if here and isinstance(here, dict):
            raise _wrong(number, "a list item in a map")
        found[top] = [*here, _scalar(text[2:].strip(" \t"), number)]
        return
    if isinstance(here, list):
        raise _wrong(number, "a map entry in a list")
    key, value = _pair(text, number)
    if key in here:
        raise _wrong(number, f"{api.names.safe(key)} appears twice")
    here[key] = _scalar(value, number)


def _pair(text: str, number: int) -> tuple[str, str]:
    found = re.fullmatch(_KEY, text)
    if not found:
        raise _wrong(number, "it is not a `key: value` line")
    return _scalar(found["key"], number), _without_comment((found["value"] or "").strip(" \t"))


def _without_comment(value: str) -> str:
    return "" if value.startswith("#") else value


def _scalar(value: str, number: int) -> str:
    """A plain or quoted scalar as text."""
    quote = value[:1]
    if quote == '"':
        found = re.fullmatch(r'("(?:[^"\\]|\\.)*")(?:[ \t]+#.*)?', value)
        try:
            text = json.loads(found[1]) if found else None
        except ValueError:
            text = None
    elif quote == "'":
        found = re.fullmatch(r"'((?:[^']|'')*)'(?:[ \t]+#.*)?", value)
        text = found[1].replace("''", "'") if found else None
    elif quote and (quote in _NOT_PLAIN or re.search(r":(\s|$)", value)):
        text = None
    else:
        text = re.split(r"[ \t]#", value, maxsplit=1)[0].rstrip(" \t")
    if text is None or re.search("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", text):
        raise _wrong(number, "it is not plain text on one line")
    return text


def _wrong(number: int, what: str) -> "api.errors.InvalidFile":
    return api.errors.InvalidFile(f"bin/release, line {number}: {what}", "correct the buildpack, or choose another one")

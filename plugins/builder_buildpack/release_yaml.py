"""What bin/release prints, a small YAML document (devcenter.heroku.com/articles/buildpack-api#bin-release). Pure.

It is a map whose values are maps or lists of text. Text stays as it is written, also where YAML takes it for a number
or a date. The rest of YAML is refused with its line, so that nothing is misread, and since a few lines of aliases can
stand for gigabytes.
"""

import itertools
import re
from collections.abc import Iterator

from minipaas_lib import api

SIZE_LIMIT = 64 * 1024  # bytes
_DEPTH = 2  # of the text: below the keys of a map, or in a list, that a key of the document names


def parse(data: bytes) -> dict[str, dict[str, str] | list[str]]:
    """The document: top-level key -> map or list of text; an empty one is {}. Raises errors.InvalidFile."""
    if len(data) > SIZE_LIMIT:
        raise api.errors.InvalidFile("bin/release printed more than 64 KiB", "correct the buildpack")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise api.errors.InvalidFile("bin/release printed what is not UTF-8", "correct the buildpack") from None
    api.activate()
    import yaml

    try:
        return _document(yaml.parse(text, yaml.BaseLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        raise _wrong(line, error.problem or "it is not YAML") from None
    except yaml.reader.ReaderError as error:
        raise _wrong(text.count("\n", 0, error.position), "a character that YAML does not allow") from None
    except (ValueError, OverflowError):  # PyYAML takes any number for a character's
        raise api.errors.InvalidFile("bin/release printed what is not YAML", "correct the buildpack") from None


def section(document: dict, name: str) -> dict[str, str]:
    """A section that is a map; {} if there is none. Raises errors.InvalidFile."""
    value = document.get(name) or {}
    if not isinstance(value, dict):
        raise api.errors.InvalidFile(f"bin/release: {name} is not a map", "correct the buildpack")
    return value


def _document(events: Iterator) -> dict[str, dict[str, str] | list[str]]:
    """What yaml.parse found. Raises errors.InvalidFile, and yaml.YAMLError for what the parser comes to."""
    import yaml

    next(events)  # of the stream
    if isinstance(next(events), yaml.StreamEndEvent):
        return {}
    beginning = next(events)
    document = _value(events, beginning, 0)
    next(events)  # the end of the document
    if not isinstance(after := next(events), yaml.StreamEndEvent):
        raise _wrong(after.start_mark.line, "there is a second document")
    if document in ("", "null", "~"):
        return {}
    if not isinstance(document, dict):
        raise _wrong(beginning.start_mark.line, "it is not a map")
    return document


def _value(events: Iterator, event, depth: int) -> dict | list | str:
    """The value that begins with an event, at a depth of the document."""
    import yaml

    line = event.start_mark.line
    if event.anchor or getattr(event, "tag", None):
        raise _wrong(line, "anchors, aliases and tags are not supported")
    if isinstance(event, yaml.ScalarEvent):
        if re.search("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", event.value):
            raise _wrong(line, "it is not plain text on one line")
        return event.value
    if depth == _DEPTH:
        raise _wrong(line, "only text can stand here")
    if isinstance(event, yaml.SequenceStartEvent):
        items = itertools.takewhile(lambda item: not isinstance(item, yaml.SequenceEndEvent), events)
        return [_value(events, item, _DEPTH) for item in items]
    found: dict = {}
    for key in itertools.takewhile(lambda key: not isinstance(key, yaml.MappingEndEvent), events):
        name = _value(events, key, _DEPTH)
        if name in found:
            raise _wrong(key.start_mark.line, f"{api.names.safe(str(name))} appears twice")
        found[name] = _value(events, next(events), depth + 1)
        if depth == 0 and isinstance(found[name], str):
            if found[name] not in ("", "null", "~"):
                raise _wrong(key.start_mark.line, f"{api.names.safe(str(name))} is neither a map nor a list")
            found[name] = {}
    return found


def _wrong(line: int, what: str) -> "api.errors.InvalidFile":
    said = f"bin/release, line {line + 1}: {what}"
    return api.errors.InvalidFile(said, "correct the buildpack, or choose another one")

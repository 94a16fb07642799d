"""Write data as TOML (toml.io, v1.0.0), in one pass.

tomlkit, which keeps comments, takes quadratic time in the keys of a table or the values of a list.
"""

import re

_ESCAPED = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_SPECIAL = re.compile('[\x00-\x1f"\\\\\x7f]')


def dumps(data: dict) -> str:
    """The document for `data`, which TOML must be able to hold. Plain values come before tables."""
    lines: list[str] = []
    waiting = [("", data)]
    while waiting:
        header, table = waiting.pop()
        tables = {name: value for name, value in table.items() if isinstance(value, dict)}
        lists = {name: value for name, value in table.items() if _is_list_of_tables(value)}
        plain = {name: value for name, value in table.items() if name not in tables and name not in lists}
        if header and (plain or not tables):
            lines += ["", f"[{header}]"]
        lines += [f"{key(name)} = {value_of(value)}" for name, value in plain.items()]
        before = f"{header}." if header else ""
        for name, entries in lists.items():
            for entry in entries:
                lines += [
                    "",
                    f"[[{before}{key(name)}]]",
                    *(f"{key(inner)} = {value_of(value)}" for inner, value in entry.items()),
                ]
        waiting += reversed([(before + key(name), value) for name, value in tables.items()])
    return "\n".join([*lines, ""]).removeprefix("\n") if lines else ""


def key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else text(name)


def text(value: str) -> str:
    """A string in double quotes."""
    return '"' + _SPECIAL.sub(lambda match: _ESCAPED.get(match[0]) or f"\\u{ord(match[0]):04x}", value) + '"'


def value_of(value) -> str:
    """A value on one line."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key(name)} = {value_of(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(value_of, value)) + "]"
    return value.isoformat()


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)

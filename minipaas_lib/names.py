"""Names that users type: their rules, and the errors for invalid ones.

Every name is checked with fullmatch before it is used in a path, an image tag, a unit, a regex or nginx.
"""

import re

from . import errors

APP_NAME = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
PROCESS_TYPE = "[A-Za-z0-9_-]{1,31}"  # as on Heroku, case-sensitive
CONFIG_NAME = "[A-Za-z_][A-Za-z0-9_]*"
KEY_NAME = "[A-Za-z0-9][A-Za-z0-9._@-]{0,62}"

RESERVED_APP_NAMES = frozenset({"minipaas", "paas", "global", "all", "default", "localhost"})
RESERVED_PROCESS_TYPES = frozenset({"_all_"})  # stands for all types in the table of checks
RESERVED_CONFIG_PREFIX = "MINIPAAS_"
CONFIG_NAME_LIMIT = 256  # characters
CONFIG_COUNT_LIMIT = 1000  # variables of an app, and of all apps
CONFIG_LIMIT = 256 * 1024  # bytes of the names and values of an app's config together
GLOBAL_CONFIG_LIMIT = 64 * 1024  # the same, of the config of all apps
CONFIG_VALUE_LIMIT = 128 * 1024 - 1024  # bytes; Linux refuses one "NAME=value" of 128 KiB or more (MAX_ARG_STRLEN)

_SHOWN = 80  # characters of hostile text that an error repeats
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}


def safe(text: str) -> str:
    """`text` in double quotes on one line, to show what a user typed.

    Control, invisible and direction-changing characters are escaped, so that no terminal interprets them; at most
    80 characters are shown, then `…`.
    """
    shown = ""
    for character in text[: _SHOWN + 1]:
        piece = _escape(character)
        if len(shown) + len(piece) > _SHOWN:
            return f'"{shown}…"'
        shown += piece
    return f'"{shown}"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def app_name(text: str) -> str:
    """The name of an app, unchanged. Raises errors.UsageError that suggests a valid one if possible."""
    if text in RESERVED_APP_NAMES:
        raise errors.UsageError(f"the name {safe(text)} is reserved", f"try: my-{text}")
    if re.fullmatch(APP_NAME, text):
        return text
    if not text:
        raise errors.UsageError("the name of the app is empty", "give a name such as: blog")
    near = re.sub("[^a-z0-9-]+", "-", text[:1000].lower()).strip("-")[:63].strip("-")
    usable = re.fullmatch(APP_NAME, near) and near not in RESERVED_APP_NAMES
    hint = f"try: {near}" if usable else "give a name such as: blog"
    if len(text) > 63:
        raise errors.UsageError(f"the app name {safe(text)} has {len(text)} characters; the limit is 63", hint)
    raise errors.UsageError(
        f"{safe(text)} cannot be an app's name: use a-z, 0-9 and -, with a letter or digit first and last", hint
    )


def process_type(text: str) -> str:
    """A process type of a Procfile (`web`, `worker`), unchanged. Raises errors.UsageError."""
    if text in RESERVED_PROCESS_TYPES:
        raise errors.UsageError(f"the process type {safe(text)} is reserved", "try: " + text.strip("_"))
    if re.fullmatch(PROCESS_TYPE, text):
        return text
    if not text:
        raise errors.UsageError("the process type is empty", "give a type such as: web")
    near = re.sub("[^A-Za-z0-9_-]+", "-", text[:1000]).strip("-")[:31].strip("-")
    hint = f"try: {near}" if near else "give a type such as: web"
    if len(text) > 31:
        raise errors.UsageError(f"the process type {safe(text)} has {len(text)} characters; the limit is 31", hint)
    raise errors.UsageError(f"{safe(text)} cannot be a process type: use letters, digits, - and _", hint)


def config_name(text: str) -> str:
    """The name of a config variable, unchanged. Raises errors.UsageError."""
    if len(text) > CONFIG_NAME_LIMIT:
        raise errors.UsageError(
            f"the config name {safe(text)} has {len(text)} characters; the limit is {CONFIG_NAME_LIMIT}",
            "give a shorter name",
        )
    if re.fullmatch(CONFIG_NAME, text):
        return text
    if not text:
        raise errors.UsageError("the config name is empty", "give a name such as: DATABASE_URL")
    near = re.sub("[^A-Za-z0-9_]+", "_", text.strip())
    near = "_" + near if near[:1].isdigit() else near
    usable = near.strip("_") and len(near) <= CONFIG_NAME_LIMIT
    raise errors.UsageError(
        f"{safe(text)} cannot be a config name: use letters, digits and _, and no digit first",
        f"try: {near}" if usable else "give a name such as: DATABASE_URL",
    )


def settable_config_name(text: str) -> str:
    """A config name that a user may set, unchanged. Raises errors.UsageError for MINIPAAS_* too."""
    config_name(text)
    if text.startswith(RESERVED_CONFIG_PREFIX):
        raise errors.UsageError(
            f"{safe(text)} cannot be set: names that start with {RESERVED_CONFIG_PREFIX} are what minipaas itself"
            " tells apps and plugins",
            f"try: APP_{text[:200]}",
        )
    return text


def config_value(name: str, value: str) -> str:
    """The value of the config variable `name`, unchanged. Raises errors.UsageError, which never shows the value."""
    if "\0" in value:
        raise errors.UsageError(f"the value of {name} contains a NUL byte, which no environment variable can", _ENCODE)
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        raise errors.UsageError(f"the value of {name} is not valid UTF-8", _ENCODE) from None
    if size > CONFIG_VALUE_LIMIT:
        raise errors.UsageError(
            f"the value of {name} is {size // 1024} KiB, and Linux gives a process at most 127 KiB per variable",
            _SHORTEN,
        )
    return value


def config_size(config: dict[str, str]) -> int:
    """The bytes of all names and values."""
    return sum(len(name) + len(value.encode("utf-8", "surrogateescape")) for name, value in config.items())


def whole_config(config: dict[str, str], before: dict[str, str], limit: int = CONFIG_LIMIT) -> dict[str, str]:
    """The config that replaces `before`, unchanged. One that is already too large may only shrink.

    limit: bytes. Raises errors.UsageError, which shows no value.
    """
    if len(config) > CONFIG_COUNT_LIMIT and len(config) > len(before):
        raise errors.UsageError(
            f"that makes {len(config):,} config variables; the limit is {CONFIG_COUNT_LIMIT:,}", _SHORTEN
        )
    size = config_size(config)
    if size > limit and size > config_size(before):
        raise errors.UsageError(
            f"that makes {size // 1024} KiB of config; the limit is {limit // 1024} KiB for all variables together",
            _SHORTEN,
        )
    return config


_SHORTEN = "keep large values in a file or a datastore"
_ENCODE = "encode binary data as base64 text and decode it in the app"


def key_name(text: str) -> str:
    """The name of an SSH key, unchanged. Raises errors.UsageError."""
    if re.fullmatch(KEY_NAME, text):
        return text
    if not text:
        raise errors.UsageError("the name of the key is empty", "give a name such as: anna-laptop")
    near = re.sub("[^A-Za-z0-9._@-]+", "-", text[:1000]).strip("._@-")[:63]
    hint = f"try: {near}" if near else "give a name such as: anna-laptop"
    if len(text) > 63:
        raise errors.UsageError(f"the key name {safe(text)} has {len(text)} characters; the limit is 63", hint)
    raise errors.UsageError(
        f"{safe(text)} cannot be a key's name: use letters, digits and . _ @ -, with a letter or digit first", hint
    )

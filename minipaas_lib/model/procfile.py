"""The Procfile: the command of each process type (the format of devcenter.heroku.com/articles/procfile)."""

import re

from .. import errors, names

SIZE_LIMIT = 64 * 1024  # bytes
COMMAND_LIMIT = 32 * 1024  # bytes
TYPES_LIMIT = 50


def parse(text: bytes) -> dict[str, str]:
    """The commands by process type, in the file's order; `release` is among them, for the caller to split off.

    CRLF, a byte order mark, surrounding blanks, blank lines and `#` lines are allowed. Raises errors.InvalidFile.
    """
    commands: dict[str, str] = {}
    lines_of: dict[str, int] = {}
    for number, line in enumerate(_lines(text), start=1):
        line = line.strip(" \t")
        if not line or line.startswith("#"):
            continue
        process_type, command = _entry(line, number)
        if process_type in commands:
            raise _invalid(
                number, f"the type {process_type} is already on line {lines_of[process_type]}", "keep one of them"
            )
        commands[process_type], lines_of[process_type] = command, number
        if len(commands) > TYPES_LIMIT:
            raise _invalid(number, f"more than {TYPES_LIMIT} process types", "split the app into several apps")
    return commands


def _lines(text: bytes) -> list[str]:
    if len(text) > SIZE_LIMIT:
        raise errors.InvalidFile(
            f"Procfile is {_size(len(text))}; the limit is 64 KiB", "keep one short line for each process type"
        )
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = text.count(b"\n", 0, error.start) + 1
        raise _invalid(number, "not valid UTF-8", "save the file as UTF-8") from None
    # Not splitlines(): it also splits at characters that a command may hold, such as U+2028.
    return re.split("\r\n|\n|\r", decoded)


def _entry(line: str, number: int) -> tuple[str, str]:
    """The type and command of one line without blanks around it."""
    bad = re.search("[\x00-\x08\x0b-\x1f\x7f]", line)
    if bad:
        raise _invalid(number, f"contains the control character {names.safe(bad[0])}", "remove it")
    process_type, colon, command = line.partition(":")
    process_type, command = process_type.strip(" \t"), command.strip(" \t")
    if not colon:
        raise _invalid(number, f"{names.safe(line)} has no colon", "write it as: web: <command>")
    try:
        names.process_type(process_type)
    except errors.UsageError as error:
        raise _invalid(number, error.message, error.hint) from None
    if not command:
        raise _invalid(number, f"the type {process_type} has no command", f"write it as: {process_type}: <command>")
    if len(command.encode("utf-8")) > COMMAND_LIMIT:
        raise _invalid(
            number,
            f"the command of {process_type} is longer than 32 KiB",
            "put it in a script and name the script here",
        )
    return process_type, command


def _invalid(number: int, message: str, hint: str) -> errors.InvalidFile:
    return errors.InvalidFile(f"Procfile line {number}: {message}", f"{hint}; then commit and push again")


def _size(count: int) -> str:
    """A size above 64 KiB for people: `65 KB`, `10 MB`."""
    return f"{count // 1_000_000} MB" if count >= 1_000_000 else f"{count // 1000} KB"

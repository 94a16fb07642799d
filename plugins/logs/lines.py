"""How a line of output looks. Pure."""

import re

from minipaas_lib import api

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)  # ANSI foregrounds that read on dark and on light


class Printer:
    """Makes the lines of several processes alike: `2026-01-31T10:20:30Z web.1 | text`."""

    def __init__(self, coloured: bool, quiet: bool = False) -> None:
        self.coloured = coloured
        self.quiet = quiet
        self.width = 0
        self.colours: dict[str, int] = {}

    def expect(self, names: list[str]) -> None:
        """Make room for these names, so that the texts stand in one column."""
        self.width = max([self.width, *(len(name) for name in names)])

    def text(self, line: "api.LogLine") -> str:
        """The line to print; only the text itself when quiet."""
        text = api.output.tame(line.text, styles=True)
        if self.quiet:
            return text
        name = f"{line.process.process_type}.{line.process.index}"
        self.expect([name])
        head = f"{seconds(line.time)} {name.ljust(self.width)} |"
        if self.coloured:
            colour = self.colours.setdefault(name, COLOURS[len(self.colours) % len(COLOURS)])
            # The reset at the end keeps one process's colours off the next one's lines.
            return f"\x1b[{colour}m{head}\x1b[0m {text}\x1b[0m"
        return f"{head} {text}"


def seconds(time: str) -> str:
    """A time without its fraction of a second."""
    return re.sub(r"\.\d+", "", time)


def chosen(text: str | None) -> tuple[str | None, int | None]:
    """What `web` or `web.2` means: the process type and the index, None for any. Raises errors.UsageError."""
    if text is None:
        return None, None
    kind, dot, number = text.partition(".")
    api.names.process_type(kind)
    if not dot:
        return kind, None
    if not re.fullmatch("[1-9][0-9]{0,3}", number):
        raise api.errors.UsageError(f"{api.names.safe(text)} is not a process", f"give one such as: {kind}.1")
    return kind, int(number)

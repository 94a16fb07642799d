"""Draw a recorded terminal session as an animated SVG: python3 docs/cast/render.py [session.cast]

The SVG is animated by CSS alone, so it plays inside an <img>. Where nothing may move (prefers-reduced-motion, a viewer
without CSS animations) it shows the end of the session.
"""

import json
import re
import sys
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

CAST = Path(__file__).with_name("session.cast")

LONGEST_PAUSE = 0.6  # seconds; a longer wait is shown as this
FRAME = 0.1  # seconds: what changes within one is drawn at once
LAST_LOOK = 4.0  # seconds at the end, before it begins again

WIDTH, HEIGHT, MARGIN = 8, 18, 14  # of a character cell, and around all of them, in pixels
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea"}
CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()].|\r|\n|\x08|\x07")


@dataclass(frozen=True)
class Style:
    colour: str = ""
    bold: bool = False

    def after(self, codes: str) -> "Style":
        """This style as the codes of an SGR sequence change it."""
        style = self
        for code in codes.split(";"):
            if code in ("", "0"):
                style = Style()
            elif code == "1":
                style = Style(style.colour, True)
            elif code == "22":
                style = Style(style.colour, False)
            elif code == "39":
                style = Style("", style.bold)
            elif code in COLOURS:
                style = Style(COLOURS[code], style.bold)
        return style


@dataclass(frozen=True)
class Text:
    """Characters of one style that appear in one place at `start`, and go at `end` (None: they stay)."""

    row: int
    column: int
    text: str
    style: Style
    start: float
    end: float | None


class Terminal:
    """As much of a terminal as git, ssh and curl use: lines, carriage returns, erasing to the end of a line, colours.

    Rows are counted from the start of the session and never dropped; `scrolled` says when the window moved down, and to
    which first row.
    """

    def __init__(self, columns: int, rows: int):
        self.columns, self.rows = columns, rows
        self.row = self.column = 0
        self.style = Style()
        self.cells: dict[tuple[int, int], Text] = {}  # what is shown now
        self.gone: list[Text] = []
        self.scrolled: list[tuple[float, int]] = [(0.0, 0)]

    def feed(self, output: str, now: float) -> None:
        position = 0
        for control in CONTROL.finditer(output):
            self.write(output[position : control.start()], now)
            self.obey(control, now)
            position = control.end()
        self.write(output[position:], now)

    def obey(self, control: re.Match, now: float) -> None:
        what = control[2] or control[0]
        if what == "\n":
            self.next_row(now)
        elif what == "\r":
            self.column = 0
        elif what == "\b":
            self.column = max(0, self.column - 1)
        elif what == "K":
            for column in range(self.column, self.columns):
                self.clear(column, now)
        elif what == "m":
            self.style = self.style.after(control[1])

    def write(self, text: str, now: float) -> None:
        for character in text:
            if self.column == self.columns:
                self.column = 0
                self.next_row(now)
            shown = self.cells.get((self.row, self.column))
            if not shown or (shown.text, shown.style) != (character, self.style):
                self.clear(self.column, now)
                self.cells[self.row, self.column] = Text(self.row, self.column, character, self.style, now, None)
            self.column += 1

    def clear(self, column: int, now: float) -> None:
        cell = self.cells.pop((self.row, column), None)
        if cell and cell.start < now:
            self.gone.append(replace(cell, end=now))

    def next_row(self, now: float) -> None:
        self.row += 1
        first = self.row - self.rows + 1
        if first > self.scrolled[-1][1]:
            self.scrolled.append((now, first))

    def texts(self) -> list[Text]:
        """All that was ever shown, neighbours of one kind joined."""
        joined: list[Text] = []
        cells = [*self.gone, *self.cells.values()]
        for cell in sorted(cells, key=lambda cell: (cell.start, cell.end or 0, cell.row, cell.column)):
            last = joined[-1] if joined else None
            if last and cell == replace(last, column=last.column + len(last.text), text=cell.text):
                joined[-1] = replace(last, text=last.text + cell.text)
            else:
                joined.append(cell)
        return [text for text in joined if text.text.strip()]


def play(cast: str) -> tuple[Terminal, float]:
    """The terminal after the session, and how many seconds that takes with long pauses shortened."""
    header, *events = [json.loads(line) for line in cast.splitlines()]
    terminal = Terminal(header["width"], header["height"])
    now = before = 0.0
    for at, kind, output in events:
        now += min(at - before, LONGEST_PAUSE)
        before = at
        if kind == "o":
            terminal.feed(output, round(now / FRAME) * FRAME)
    return terminal, now + LAST_LOOK


def svg(cast: str) -> str:
    """The session as an SVG."""
    terminal, length = play(cast)
    width, height = terminal.columns * WIDTH, terminal.rows * HEIGHT
    last_row = terminal.scrolled[-1][1]

    def percent(seconds: float) -> str:
        return f"{100 * seconds / length:.2f}".rstrip("0").rstrip(".") + "%"

    first_rows = {percent(at): row for at, row in terminal.scrolled}  # of several within one frame the last
    moves = "".join(f"{at}{{transform:translateY({-row * HEIGHT}px)}}" for at, row in first_rows.items())
    rules = [f"#all{{transform:translateY({-last_row * HEIGHT}px);animation:all {length:.1f}s step-end infinite}}"]
    rules += [f"@keyframes all{{{moves}}}"]
    drawn = []
    for number, ((start, end), texts) in enumerate(groupby(terminal.texts(), lambda text: (text.start, text.end))):
        frames = f"0%{{visibility:hidden}}{percent(start)}{{visibility:visible}}"
        frames += f"{percent(end)}{{visibility:hidden}}" if end is not None else ""
        rules += [f"@keyframes k{number}{{{frames}}}"]
        hidden = "visibility:hidden;" if end is not None else ""
        rules += [f"#g{number}{{{hidden}animation:k{number} {length:.1f}s step-end infinite}}"]
        drawn += [f'<g id="g{number}">', *map(element, texts), "</g>"]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 2 * MARGIN}" height="{height + 2 * MARGIN}" '
            f'viewBox="0 0 {width + 2 * MARGIN} {height + 2 * MARGIN}">',
            f"<title>{escape(json.loads(cast.splitlines()[0])['title'])}</title>",
            "<style>",
            "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}",
            ".b{font-weight:bold}",
            *rules,
            "@media (prefers-reduced-motion:reduce){*{animation:none!important}}",
            "</style>",
            '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
            f'<svg x="{MARGIN}" y="{MARGIN}" width="{width}" height="{height}">',
            '<g id="all" fill="#c9d1d9" xml:space="preserve">',
            *drawn,
            "</g></svg>",
            "</svg>",
            "",
        ]
    )


def element(text: Text) -> str:
    """A piece of text; its length is fixed, so that columns line up in any font."""
    place = f'x="{text.column * WIDTH}" y="{text.row * HEIGHT + 14}" textLength="{len(text.text) * WIDTH}"'
    bold = ' class="b"' if text.style.bold else ""
    colour = f' fill="{text.style.colour}"' if text.style.colour else ""
    return f"<text {place}{bold}{colour}>{escape(text.text)}</text>"


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else CAST
    path.with_suffix(".svg").write_text(svg(path.read_text()))

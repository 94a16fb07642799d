"""The README's terminal session: drawn by docs/cast/render.py from docs/cast/session.cast, which record.py records."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from minipaas_lib.bus import index

CAST = Path(__file__).parents[2] / "docs/cast"
TEXT, GROUP = ("{http://www.w3.org/2000/svg}" + name for name in ("text", "g"))


@pytest.fixture
def scripts(monkeypatch):
    """docs/cast/record.py and render.py."""
    monkeypatch.syspath_prepend(str(CAST))
    import record
    import render

    return record, render


def cast(*events: tuple[float, str], width: int = 20, height: int = 3) -> str:
    header = {"version": 2, "width": width, "height": height, "title": "test"}
    return "\n".join(json.dumps(line) for line in [header, *([at, "o", text] for at, text in events)])


def screen(terminal) -> list[str]:
    """The rows that a terminal shows, without blanks at their ends."""

    def character(row: int, column: int) -> str:
        cell = terminal.cells.get((row, column))
        return cell.text if cell else " "

    rows = range(terminal.scrolled[-1][1], terminal.row + 1)
    return ["".join(character(row, column) for column in range(terminal.columns)).rstrip() for row in rows]


def test_the_svg_is_the_recorded_session(scripts):
    _, render = scripts
    assert (CAST / "session.svg").read_text() == render.svg((CAST / "session.cast").read_text()), (
        "run: python3 docs/cast/render.py"
    )


def test_the_session_is_a_push_another_one_and_a_way_back(scripts):
    record, render = scripts
    text = (CAST / "session.cast").read_text()
    header, *events = map(json.loads, text.splitlines())
    assert (header["version"], header["width"], header["height"]) == (2, record.COLUMNS, record.ROWS)
    shown = "".join(output for _, kind, output in events if kind == "o")
    for words in ("blog v1 is live", "blog v2 is live", "blog v3 is live: rollback to v1", "<h1>Hello again</h1>"):
        assert words in shown
    typed = [line.split(record.PLAIN)[0].split() for line in shown.split(record.PROMPT)[1:]]
    commands = [words[2] for words in typed if words[0] == "ssh"]
    assert commands and set(commands) <= set(index.load().commands)
    assert render.play(text)[1] < 60, "nobody looks for a minute"


def test_the_drawing_without_animation_is_the_end_of_the_session(scripts):
    _, render = scripts
    text = (CAST / "session.cast").read_text()
    terminal, _ = render.play(text)
    root = ElementTree.fromstring(render.svg(text))
    rules = root.find("{http://www.w3.org/2000/svg}style").text
    rows: dict[int, list[str]] = {}
    for group in root.iter(GROUP):
        if group.get("id") == "all" or f"#{group.get('id')}{{visibility:hidden" in rules:
            continue
        for element in group.iter(TEXT):
            row = rows.setdefault((int(element.get("y")) - 14) // render.HEIGHT, [" "] * terminal.columns)
            column = int(element.get("x")) // render.WIDTH
            row[column : column + len(element.text)] = element.text
    first = terminal.scrolled[-1][1]
    drawn = ["".join(rows.get(row, [])).rstrip() for row in range(first, terminal.row + 1)]
    assert drawn == screen(terminal)
    assert drawn[-2].startswith("v1  superseded") and f"#all{{transform:translateY({-first * render.HEIGHT}px)" in rules


def test_what_a_terminal_does_with_what_git_and_ssh_print(scripts):
    _, render = scripts
    output = "At 100%\x1b[K, done\r\n12345678901234567890xyz"
    terminal, _ = render.play(cast((0.2, "At  50% of all of it\r"), (0.4, output)))
    assert screen(terminal) == ["At 100%, done", "12345678901234567890", "xyz"]
    terminal, _ = render.play(cast((0.2, "one\ntwo\nthree\nfour"), (0.4, "\nfive")))
    assert terminal.scrolled == [(0.0, 0), (0.2, 1), (0.4, 2)]


def test_what_is_written_over_goes_when_it_is_written_over(scripts):
    _, render = scripts
    terminal, _ = render.play(cast((0.2, "at  50%"), (0.4, "\rat 100%")))
    assert [(text.text, text.start, text.end) for text in terminal.texts()] == [
        ("at ", 0.2, None),
        ("0%", 0.2, None),
        (" 5", 0.2, 0.4),
        ("10", 0.4, None),
    ]


def test_colours_and_long_pauses(scripts):
    _, render = scripts
    terminal, length = render.play(cast((0.0, "\x1b[1;32m$\x1b[0m ls"), (60.0, " -a")))
    assert [(text.text, text.style) for text in terminal.texts()] == [
        ("$", render.Style(render.COLOURS["32"], True)),
        (" ls", render.Style()),
        (" -a", render.Style()),
    ]
    assert length == render.LONGEST_PAUSE + render.LAST_LOOK


def test_text_cannot_leave_the_drawing(scripts):
    _, render = scripts
    drawing = render.svg(cast((0.0, "</text><script>&")))
    assert [element.text for element in ElementTree.fromstring(drawing).iter(TEXT)] == ["</text><script>&"]


def test_a_command_is_typed_run_in_a_terminal_and_recorded(scripts, tmp_path, monkeypatch):
    record, render = scripts
    monkeypatch.setattr(record, "PAUSE", 0)
    monkeypatch.setattr(record, "SECONDS_PER_KEY", 0)
    recording = record.Recording()
    recording.run("[ -t 1 ] && echo äh && stty size", str(tmp_path))
    terminal, _ = render.play(recording.text())
    assert screen(terminal) == ["$ [ -t 1 ] && echo äh && stty size", "äh", f"{record.ROWS} {record.COLUMNS}", ""]
    with pytest.raises(record.subprocess.CalledProcessError):
        recording.run("exit 3", str(tmp_path))

import pytest

from minipaas_lib import errors
from minipaas_lib.bus.engines import LogLine
from minipaas_lib.model.process import Process
from plugins.logs import lines


def line(kind="web", index=1, text="hello"):
    return LogLine(Process(f"blog_v1.{kind}.{index}", "blog", 1, kind, index), "2026-01-31T10:20:30.123456789Z", text)


def test_plain():
    printer = lines.Printer(coloured=False)
    printer.expect(["web.1", "worker.1"])
    assert printer.text(line()) == "2026-01-31T10:20:30Z web.1    | hello"
    assert printer.text(line("worker")) == "2026-01-31T10:20:30Z worker.1 | hello"


def test_quiet_is_the_text_alone():
    assert lines.Printer(coloured=True, quiet=True).text(line(text="\x1b[1mx")) == "\x1b[1mx"


def test_colours_differ_by_process_and_are_reset():
    printer = lines.Printer(coloured=True)
    first, second = printer.text(line()), printer.text(line(index=2))
    assert first.split("m")[0] != second.split("m")[0]
    assert printer.text(line()) == first
    assert first.endswith("\x1b[0m")


@pytest.mark.parametrize(("text", "expected"), [(None, (None, None)), ("web", ("web", None)), ("web.12", ("web", 12))])
def test_chosen(text, expected):
    assert lines.chosen(text) == expected


@pytest.mark.parametrize("text", ["", ".", "web.", "web.0", "web.x", "we b", "web.1\n", "web.1.2", "web.-1", "../x"])
def test_not_a_process(text):
    with pytest.raises(errors.UsageError):
        lines.chosen(text)


def test_colours_of_the_app_stay_and_nothing_else_steers_the_terminal():
    hostile = "\x1b[1;31mred\x1b[0m\x1b]52;c;cm0=\x07\x1b[2J\r\tx\u202e"
    tamed = "\x1b[1;31mred\x1b[0m" + r"\x1b]52;c;cm0=\x07\x1b[2J\x0d" + "\tx" + r"\u202e"
    assert lines.Printer(False, quiet=True).text(line(text=hostile)) == tamed
    assert lines.Printer(False).text(line(text=hostile)).endswith("| " + tamed)

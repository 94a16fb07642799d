import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import commands, output

HOSTILE = "a\x1b]0;title\x07b\x9b2J\u202ec\rd"
TAMED = r"a\x1b]0;title\x07b\x9b2J\u202ec\x0dd"


def test_what_an_app_prints_cannot_steer_the_terminal_of_who_reads_it(capsys, tmp_path):
    kept = tmp_path / "v1.log"
    with output.keep(str(kept)):
        output.step(HOSTILE)
        output.info("x\ty é")
        output.warn("one\ntwo")
    said = capsys.readouterr().err
    assert said == f"-----> {TAMED}\n       x\ty é\n !     one\n !     two\n"
    assert kept.read_text() == said


@pytest.mark.parametrize("show", [lambda rows: commands.print_table([rows]), lambda rows: commands.print_report("t", rows)])
def test_tables_and_reports_tame_it_too(show, capsys):
    show({"reason": HOSTILE.replace("\r", "\n")})
    assert TAMED.replace("0d", "0a") in capsys.readouterr().out


@given(st.text())
def test_tamed_text_stays_on_one_line_without_control(text):
    tamed = output.tame(text)
    assert not any(ord(character) < 32 and character != "\t" or 127 <= ord(character) < 160 for character in tamed)
    assert output.tame(tamed) == tamed

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import commands, output

HOUSE = Path(__file__).parents[2]
HOSTILE = "a\x1b]0;title\x07b\x9b2J\u202e\u061cc\rd\ud800"
TAMED = r"a\x1b]0;title\x07b\x9b2J\u202e\u061cc\x0dd\ud800"
# What programs read is printed as it is: values, scripts, a node's user data; and git's protocol, which is binary.
EXACT = {
    "minipaas_lib/commands.py",
    "plugins/config/commands.py",
    "plugins/cluster/head/commands.py",
    "plugins/completion/commands.py",
    "plugins/cluster/transport/git_client.py",
}


def test_what_an_app_prints_cannot_steer_the_terminal_of_who_reads_it(capsys, tmp_path):
    kept = tmp_path / "v1.log"
    with output.keep(str(kept)):
        output.step(HOSTILE)
        output.info("x\ty é")
        output.warn("one\ntwo")
    said = capsys.readouterr().err
    assert said == f"-----> {TAMED}\n       x\ty é\n !     one\n !     two\n"
    assert kept.read_text() == said


@pytest.mark.parametrize(
    "show", [lambda rows: commands.print_table([rows]), lambda rows: commands.print_report("t", rows)]
)
def test_tables_and_reports_tame_it_too(show, capsys):
    show({"reason": HOSTILE.replace("\r", "\n")})
    assert TAMED.replace("0d", "0a") in capsys.readouterr().out


@given(st.text())
def test_tamed_text_stays_on_one_line_without_control(text):
    tamed = output.tame(text)
    assert not any(ord(character) < 32 and character != "\t" or 127 <= ord(character) < 160 for character in tamed)
    assert output.tame(tamed) == tamed
    assert output.tame(text + "\x1b[31m", styles=True).endswith("\x1b[31m")


@given(st.text())
def test_json_keeps_the_value_and_no_control(text):
    document = output.to_json({"a": [text], text: 1})
    assert json.loads(document) == {"a": [text], text: 1}
    assert all(output.tame(line) == line for line in document.split("\n"))


def test_results_are_tamed_line_by_line_and_values_for_programs_are_not(capsys):
    output.data(f"one {HOSTILE}\n\x1b[1mtwo\x1b[0m")
    output.data("\x1b[1mtwo\x1b[0m\x1b[2J", styles=True)
    output.exact("\x1b[2J")
    said = capsys.readouterr().out
    assert said == f"one {TAMED}\n\\x1b[1mtwo\\x1b[0m\n\x1b[1mtwo\x1b[0m\\x1b[2J\n\x1b[2J\n"


def test_nothing_prints_around_it():
    """Who prints by other means may print what somebody else wrote, and that may steer an admin's terminal."""
    around = set()
    for path in sorted([*(HOUSE / "minipaas_lib").rglob("*.py"), *(HOUSE / "plugins").rglob("*.py")]):
        name = str(path.relative_to(HOUSE))
        if (
            name in {"minipaas_lib/output.py", "minipaas_lib/bundle.py", "minipaas_lib/firewall/__init__.py"}
            or "/buildpacks/" in name
            or "/container/" in name
        ):
            continue  # bundle.py and firewall are programs for install.sh; the last two run inside builds
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in PRINTERS:
                around.add(f"{name}: {ast.unparse(node.func)}")
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("output.exact") and name not in EXACT:
                around.add(f"{name}: output.exact")
    replaced = {
        f"plugins/cluster/{name}.py: os.execv" for name in ("node/commands", "head/route_follower")
    }  # by nginx, by ourselves
    assert around == {"plugins/cluster/transport/git_client.py: sys.stdout.buffer.write", *replaced}


PRINTERS = {
    "print",
    "click.echo",
    "click.secho",
    "sys.stdout.write",
    "sys.stderr.write",
    "sys.stdout.buffer.write",
    "sys.stderr.buffer.write",
    "sys.stdout.writelines",
    "os.execv",
    "os.system",
    "pprint.pprint",
}

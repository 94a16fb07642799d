"""The reference pages say what the code says, and every command's help has an example."""

import importlib.util
import re
from pathlib import Path

import pytest

from minipaas_lib import cli
from minipaas_lib.bus import index

HOUSE = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("generate", HOUSE / "docs/generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", generate.PAGES)
def test_the_page_is_as_the_code(name):
    assert (HOUSE / name).read_text() == generate.PAGES[name](), "run: python3 docs/generate.py"


@pytest.mark.parametrize("name", sorted(index.load().commands))
def test_the_command_loads_and_its_help_has_an_example(name):
    entry = index.load().commands[name]
    command = cli.load(name, entry.plugin)
    assert command.name == name
    assert entry.help and not entry.help.endswith(".")
    if not entry.hidden:
        assert "e.g.:" in (command.help or ""), f"{name} --help has no example"


MAP = (HOUSE / "docs/architecture.md").read_text()


def test_the_map_of_the_kernel_shows_every_room_and_no_other():
    files = [
        path.relative_to(HOUSE / "minipaas_lib") for path in (HOUSE / "minipaas_lib").glob("*/*") if path.is_file()
    ]
    rooms = {path.parts[0] for path in files} - {"__pycache__"}
    assert set(re.findall(r"^\| `minipaas_lib/(\w+)/` \|", MAP, re.MULTILINE)) == rooms


def test_every_path_of_the_map_is_there():
    paths = re.findall(r"`((?:[\w-]+/)+(?:[\w.-]+)?|\w+\.py)`", MAP)
    assert len(paths) > 40
    for path in paths:
        assert (HOUSE / path).exists() or (HOUSE / "minipaas_lib" / path).exists(), path

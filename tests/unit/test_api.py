"""What docs/plugins.md promises of the api: its names are those of the page, and none that plugins rely on goes."""

import dataclasses
import inspect
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from minipaas_lib import api
from plugins.plugins import skeleton

HOUSE = Path(__file__).parents[2]
PAGE = (HOUSE / "docs/plugins.md").read_text()
RECORD = Path(__file__).with_name("api_1.toml")
RELIED_ON = tomllib.loads(RECORD.read_text())
NAMES = sorted(set(dir(api)) - {"kernel"})


def table() -> dict[str, tuple[str, str]]:
    """Name -> its arguments, as the page writes them, and its line."""
    section = PAGE.split("\n## The API\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)(?:\(([^)`]*)\))?` \| (.+) \|$", section, re.MULTILINE)
    assert len(rows) == len({name for name, _, _ in rows}), "a name has two lines"
    return {name: (arguments, line) for name, arguments, line in rows}


def parts(name: str) -> list[str]:
    """What plugins rely on of a name: arguments, fields and methods, or the members of a module that the page names."""
    value = getattr(api, name)
    if isinstance(value, ModuleType):
        return re.findall(r"`(\w+)`", table()[name][1])
    if inspect.isclass(value):
        fields = list(getattr(value, "__dataclass_fields__", getattr(value, "_fields", ())))
        return fields + [name for name in vars(value) if not name.startswith("_") and name not in fields]
    return list(inspect.signature(value).parameters) if inspect.isfunction(value) else []


def test_the_page_has_a_line_for_each_name_and_for_nothing_else():
    assert sorted(table()) == NAMES
    assert all(len(line.split()) > 2 for _, line in table().values())


@pytest.mark.parametrize("name", NAMES)
def test_the_line_of_a_name_is_true(name):
    value, (arguments, _) = getattr(api, name), table()[name]
    if isinstance(value, ModuleType):
        assert all(hasattr(value, member) for member in parts(name)) and parts(name)
    elif inspect.isfunction(value):
        typed = [argument for argument in arguments.split(", ") if argument]
        assert parts(name)[: len(typed)] == typed


@pytest.mark.parametrize("name", NAMES)
def test_what_is_new_is_recorded(name):
    assert set(parts(name)) == set(RELIED_ON.get(name, ["no line"])), f"add it to {RECORD.name}"


@pytest.mark.parametrize("name", sorted(RELIED_ON))
def test_nothing_goes_that_plugins_rely_on(name):
    value, recorded = getattr(api, name), RELIED_ON[name]
    if inspect.isfunction(value):
        assert parts(name)[: len(recorded)] == recorded, "arguments keep their names and their order"
        added = list(inspect.signature(value).parameters.values())[len(recorded) :]
        assert all(argument.default is not argument.empty for argument in added), "new ones may be left out"
    elif dataclasses.is_dataclass(value):
        assert [part for part in parts(name) if part in recorded] == recorded
    else:
        assert set(recorded) <= set(parts(name))


@pytest.mark.parametrize("name", ["Scheduler", "Router"])
def test_a_contract_asks_for_nothing_more(name):
    assert sorted(parts(name)) == sorted(RELIED_ON[name]), "an engine of a plugin made before would lack it"


def examples() -> dict[str, str]:
    """What shows strangers how a plugin is written."""
    folders = (HOUSE / "docs/examples", HOUSE / "tests/fixtures", HOUSE / "tests/broken_plugins")
    paths = [path for folder in folders for path in folder.rglob("*.py")] + list((HOUSE / "docs").glob("*.md"))
    values = {"name": "one", "dashed": "one", "function": "one"}
    new = {f"plugin:new {path}": text for path, (text, _) in skeleton.files("python", values, "").items()}
    return {str(path.relative_to(HOUSE)): path.read_text() for path in paths} | new


@pytest.mark.parametrize(("place", "text"), examples().items(), ids=examples())
def test_examples_use_what_is_promised(place, text):
    for name, member in re.findall(r"\bapi\.(?!example\b|github\b)(\w+)(?:\.(\w+))?", text):
        if name == "kernel" and place.endswith(".md"):  # what the pages say of it
            continue
        assert name in NAMES, name
        if member and isinstance(getattr(api, name), ModuleType):
            assert member in RELIED_ON[name], f"{name}.{member}"

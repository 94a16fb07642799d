"""The slow tests: how long each takes, and which of them a run has time for.

slow.toml names every test of three seconds and more but those of the unit part, and how many seconds each part of a run
spends on them. Which ones run is drawn by the seed (see sampling.py). All do under --slow and --all, and when files or
tests are named.

    python -m tests.slow RESULTS...   bring the times up to date, from folders of JUnit files that ./tests/run has left
"""

import ast
import os
import random
import re
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests import sampling

FILE = Path(__file__).with_name("slow.toml")
SLOW = 3  # seconds
COMMAND = re.compile(r'"([a-z][a-z-]*(?::[a-z][a-z-]*)?)"')


def read() -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """The budget of each part, and the seconds of each slow test: file -> function -> seconds."""
    document = tomllib.loads(FILE.read_text())
    return document.pop("budgets"), document


def part(item: pytest.Item) -> str:
    """The part of a run that a test belongs to, as slow.toml calls it."""
    folder = item.nodeid.split("/")[1]
    if item.nodeid.startswith("tests/cluster/store/"):
        return "store"
    return "serial" if folder == "host" and item.get_closest_marker("serial") else folder


def left_out(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Those of the tests that this run has no time for."""
    if sampling.ALL or os.environ.get("MINIPAAS_SLOW") == "1":
        return set()
    budgets, files = read()
    parts: dict[str, list[tuple[pytest.Item, int]]] = {}
    for item in items:
        file, _, name = item.nodeid.partition("::")
        seconds = files.get(file, {}).get(name.partition("[")[0], 0)
        if seconds and not item.get_closest_marker("needed_by_others"):
            parts.setdefault(part(item), []).append((item, seconds))
    return {item for name, slow in parts.items() if name in budgets for item in over_budget(slow, budgets[name])}


def over_budget(slow: list[tuple[pytest.Item, int]], budget: int) -> list[pytest.Item]:
    """What is left when tests were drawn until the budget, in seconds, was used up; the first always runs."""
    (_, spent), *others = random.Random(sampling.SEED).sample(slow, len(slow))
    rest = []
    for item, seconds in others:
        if spent + seconds <= budget:
            spent += seconds
        else:
            rest.append(item)
    return rest


def note_commands(items: Iterable[pytest.Item]) -> None:
    """Note the commands of host tests that are left out, for test_zz_coverage.py: each has its test, on other days."""
    folder = os.environ.get("MINIPAAS_COMMANDS_USED")
    names: dict[Path, set[str]] = {}
    for item in items:
        names.setdefault(item.path, set()).add(item.name.partition("[")[0])
    if folder and names:
        commands = {command for path in names for command in commands_of(path, names[path])}
        Path(folder, f"left-out-{os.getpid()}").write_text("\n".join(sorted(commands)))


def commands_of(path: Path, tests: set[str]) -> set[str]:
    """The commands in these tests of a file, and in what its tests share."""
    text = path.read_text()
    parts = [
        ast.get_source_segment(text, node) or ""
        for node in ast.parse(text).body
        if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test_")) or node.name in tests
    ]
    return set(COMMAND.findall("\n".join(parts)))


def update(folders: Iterable[str]) -> str:
    """slow.toml with the times of these folders; tests that did not run keep theirs."""
    budgets, files = read()
    for path in (path for folder in folders for path in sorted(Path(folder).rglob("*.xml"))):
        seen: dict[tuple[str, str], float] = {}
        for case in ET.parse(path).getroot().iter("testcase"):
            file = case.get("classname", "").replace(".", "/") + ".py"
            key = file, case.get("name", "").partition("[")[0]
            seen[key] = max(seen.get(key, 0), float(case.get("time", 0)))
        for (file, name), seconds in seen.items():
            if not (sampling.HOUSE / file).exists():  # a class's, or of a test that made tests
                continue
            times = files.setdefault(file, {})
            times.pop(name, None)
            if seconds >= SLOW and not file.startswith("tests/unit/"):
                times[name] = round(seconds)
    head = FILE.read_text().partition("[budgets]")[0]
    text = head + "[budgets]\n" + "".join(f"{name} = {seconds}\n" for name, seconds in budgets.items())
    for file, times in sorted(files.items()):
        if times:
            text += f'\n["{file}"]\n' + "".join(f"{name} = {times[name]}\n" for name in sorted(times))
    return text


if __name__ == "__main__":
    FILE.write_text(update(sys.argv[1:]))

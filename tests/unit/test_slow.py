"""The tests that take long: the list is true, and a run takes those that it has time for."""

import ast
import os
import subprocess
import sys

import pytest

from tests import sampling, slow


def functions(file: str) -> set[str]:
    tree = ast.parse((sampling.HOUSE / file).read_text())
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("tests."):
            imported = {alias.name for alias in node.names}
            names |= functions(node.module.replace(".", "/") + ".py") if "*" in imported else imported
    return names


def test_every_name_in_the_list_is_a_test():
    budgets, files = slow.read()
    assert set(budgets) == {"store", "host", "serial", "cluster"}
    for file, times in files.items():
        assert set(times) <= functions(file), file
        assert min(times.values()) >= slow.SLOW, file


@pytest.mark.parametrize("part", ["store", "host", "serial", "cluster"])
def test_every_slow_test_has_its_turn_and_they_keep_to_the_budget(part, monkeypatch):
    monkeypatch.setattr(sampling, "ALL", False)
    budget = slow.read()[0][part]
    tests = [(f"test {number}", seconds) for number, seconds in enumerate([5, 30, 61, 110, 12, 5, 40, 8] * 5)]
    seen = set()
    for seed in range(200):
        monkeypatch.setattr(sampling, "SEED", seed)
        rest = slow.over_budget([(test, test[1]) for test in tests], budget)
        run = [test for test in tests if test not in rest]
        assert 0 < sum(seconds for _, seconds in run) <= max(budget, 110)
        seen |= set(run)
    assert seen == set(tests)


@pytest.mark.parametrize(("words", "environment", "whole"), [
    (["tests/host"], {}, False),
    (["tests/host"], {"MINIPAAS_ALL": "1"}, True),
    (["tests/host"], {"MINIPAAS_SLOW": "1"}, True),
    (["tests/host/test_deploy.py"], {}, True),
    (["tests/host", "-k", "test_deploy"], {}, True),
])  # fmt: skip
def test_what_is_named_runs_whole(words, environment, whole, tmp_path):
    file = "tests/host/test_deploy.py"
    expected = set(slow.read()[1][file])
    assert expected
    clean = {name: value for name, value in os.environ.items() if name not in ("MINIPAAS_ALL", "MINIPAAS_SLOW")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--co", "-qq", "-o", "addopts=", *words]
    clean |= {"MINIPAAS_SEED": "3", "MINIPAAS_COMMANDS_USED": str(tmp_path)} | environment
    done = subprocess.run([*command, "-q"], cwd=sampling.HOUSE, env=clean, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    noted = "\n".join(path.read_text() for path in tmp_path.iterdir())
    assert ("apps:destroy" in noted) != whole, "the commands of what is left out are noted"


def test_the_commands_of_a_test_are_those_in_it_and_in_what_its_file_shares(tmp_path):
    (tmp_path / "test_x.py").write_text(
        'def rows(host):\n    host.ssh("builds:list", "--format")\n\n\n'
        'def test_a(host):\n    host.ssh("ps:scale", "web=2")\n\n\ndef test_b(host):\n    host.ssh("logs")\n'
    )
    assert slow.commands_of(tmp_path / "test_x.py", {"test_a"}) == {"builds:list", "ps:scale"}


def test_times_come_from_what_ran(tmp_path, monkeypatch):
    monkeypatch.setattr(slow, "FILE", tmp_path / "slow.toml")
    (tmp_path / "slow.toml").write_text(
        '# head\n\n[budgets]\nhost = 5\n\n["tests/host/test_git.py"]\ntest_gone = 9\ntest_kept = 8\n'
    )
    cases = [("test_gone", 1.2), ("test_new[a]", 4.4), ("test_new[b]", 6.6)]
    (tmp_path / "host.xml").write_text(
        "<testsuites><testsuite>"
        + "".join(f'<testcase classname="tests.host.test_git" name="{name}" time="{time}"/>' for name, time in cases)
        + '<testcase classname="tests.unit.test_slow" name="test_x" time="20"/></testsuite></testsuites>'
    )
    text = slow.update([str(tmp_path)])
    assert text == '# head\n\n[budgets]\nhost = 5\n\n["tests/host/test_git.py"]\ntest_kept = 8\ntest_new = 7\n'

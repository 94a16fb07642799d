"""The samples of the tests: the same for the same seed, another for another one, and whole under --all."""

import os
import subprocess
import sys

import pytest

from tests import sampling

MARKED = """
import pytest

@pytest.mark.sample("of ten", 4)
@pytest.mark.parametrize("number", range(10))
def test_marked(number):
    assert number >= 0

def test_not_marked():
    pass
"""


def chosen(folder, *words: str, **environment: str) -> list[str]:
    """The tests of MARKED that run."""
    (folder / "test_marked.py").write_text(MARKED)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-q", "--co", *words]
    clean = {name: value for name, value in os.environ.items() if name not in ("MINIPAAS_SEED", "MINIPAAS_ALL")}
    clean |= {"PYTHONPATH": str(sampling.HOUSE), **environment}
    done = subprocess.run([*command, "test_marked.py"], cwd=folder, env=clean, capture_output=True, text=True)
    return [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]


def test_a_seed_repeats_a_sample(tmp_path):
    first, again, other = (chosen(tmp_path, MINIPAAS_SEED=seed) for seed in ("7", "7", "8"))
    assert len(first) == 5 and first[-1] == "test_not_marked" and first == sorted(first)
    assert again == first != other


def test_all_is_all_and_what_is_named_runs(tmp_path):
    assert len(chosen(tmp_path, MINIPAAS_ALL="1")) == 11
    assert chosen(tmp_path, "-k", "test_marked[3]", MINIPAAS_SEED="7") == ["test_marked[3]"]


def test_all_cases_come_up_sooner_or_later(monkeypatch):
    monkeypatch.setattr(sampling, "ALL", False)
    seen = set()
    for seed in range(60):
        monkeypatch.setattr(sampling, "SEED", seed)
        seen |= set(sampling.sample(range(20), 5))
    assert seen == set(range(20))


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "HOUSE", tmp_path)
    git("init", "-q", "-b", "main", folder=tmp_path)
    for number in (1, 2):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / "file").write_text(f"{number}")
        (tmp_path / "b").write_text("1")
        git("add", "-A", folder=tmp_path)
        git("commit", "-q", "-m", "change", folder=tmp_path)
    return tmp_path


def git(*words: str, folder) -> None:
    identity = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t"}
    subprocess.run(["git", *words], cwd=folder, env=os.environ | identity, check=True)


def test_what_has_changed_since_main(checkout):
    assert sampling.changed("a") and not sampling.changed("b"), "on main: by its last commit"
    git("checkout", "-q", "-b", "work", folder=checkout)
    (checkout / "b").write_text("2")
    assert sampling.changed("b"), "not committed yet"
    git("commit", "-q", "-a", "-m", "change", folder=checkout)
    assert sampling.changed("b") and not sampling.changed("a"), "on a branch: since main"
    (checkout / "new").write_text("")
    assert sampling.changed("new") and not sampling.changed("none")


def test_without_git_nothing_has_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "HOUSE", tmp_path)
    assert not sampling.changed("a")

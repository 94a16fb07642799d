"""The samples of the tests: the same for the same seed, another for another one, and whole under --all."""

import os
import subprocess
import sys

import pytest

from tests import quick, sampling

MARKED = """
import pytest

@pytest.mark.sample("of ten", 4)
@pytest.mark.parametrize("number", range(10))
def test_marked(number):
    assert number >= 0

def test_not_marked():
    pass
"""


def chosen(folder, *words: str, text: str = MARKED, **environment: str) -> list[str]:
    """The tests of `text` that run."""
    (folder / "test_marked.py").write_text(text)
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
    assert sampling.changed_files() == ["a/file"], "on main: by its last commit"
    git("checkout", "-q", "-b", "work", folder=checkout)
    (checkout / "b").write_text("2")
    assert sampling.changed_files() == ["a/file", "b"], "not committed yet"
    git("commit", "-q", "-a", "-m", "change", folder=checkout)
    (checkout / "new").write_text("")
    assert sampling.changed_files() == ["b", "new"], "on a branch: since main"


def test_without_git_nothing_has_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "HOUSE", tmp_path)
    assert sampling.changed_files() == []


def test_the_host_tests_of_what_has_changed(tmp_path):
    tests = tmp_path / "tests" / "host"
    tests.mkdir(parents=True)
    for name, text in {
        "test_router_nginx.py": "",
        "test_router_names.py": "",
        "test_guard.py": "",
        "test_commands.py": 'host.ssh("logs", app); host.ssh("logs:failed", app)',
        "test_running.py": 'host.ssh("logs")',
        "test_deploy.py": "",
    }.items():
        (tests / name).write_text(text)
    (tmp_path / "plugins" / "logs").mkdir(parents=True)
    (tmp_path / "plugins/logs/plugin.toml").write_text('[commands]\n"logs" = "x"\n"logs:failed" = "y"\n')
    for path, names in {
        "plugins/router_nginx/router.py": ["test_router_nginx.py"],
        "plugins/build_guard/needs.py": ["test_guard.py"],
        "plugins/logs/commands.py": ["test_commands.py", "test_running.py"],
        "plugins/gone/commands.py": [],
        "minipaas_lib/names.py": ["test_deploy.py"],
        "tests/host/test_guard.py": ["test_guard.py"],
        "docs/tour.md": [],
    }.items():
        assert quick.chosen([path], tmp_path) == names, path


def test_of_two_marks_the_closer_is_drawn_first(tmp_path):
    """So the sample that another file takes of all its tests is as large as it says."""
    text = MARKED + '\npytestmark = pytest.mark.sample("of the file", 3)\n'
    assert len(chosen(tmp_path, text=text, MINIPAAS_SEED="7")) == 3
    assert len(chosen(tmp_path, text=text, MINIPAAS_ALL="1")) == 11

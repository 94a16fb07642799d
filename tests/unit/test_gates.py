"""The gates: what the tools find in the whole repository, and proof that each of them refuses a planted fault.

A gate is a line of GATES and one of FAULTS. What needs more than a command has a file of its own: imports and circles
test_architecture.py, the types of the api test_types.py, the wheel test_wheel.py.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

HOUSE = Path(__file__).parents[2]
CONFIGURATION = ("pyproject.toml", ".shellcheckrc")
OTHERS = {".git", ".venv", "__pycache__", "build", "dist"}  # folders whose files are not the repository's
RUFF = [sys.executable, "-m", "ruff"]
SHELL = re.compile(rb"#!.*\b(?:ba|da)?sh\b")
PYTHON = re.compile(rb"#!.*\bpython")
# What mypy knows of files that did not change stays in the environment of the tests; one run at a time writes it.
MYPY_CACHE = os.path.join(sys.prefix, "mypy-cache")
MYPY = ["flock", MYPY_CACHE + ".lock", sys.executable, "-m", "mypy", "--cache-dir", MYPY_CACHE]


def files(root: Path) -> list[Path]:
    """Every file below `root`, relative to it."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - OTHERS)
        found += [Path(folder, name).relative_to(root) for name in sorted(names)]
    return [path for path in found if (root / path).is_file() and not (root / path).is_symlink()]


def first_line(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.readline(200)


def scripts(root: Path) -> list[Path]:
    """The sh scripts below `root`, by their first line."""
    return [path for path in files(root) if SHELL.match(first_line(root / path))]


def parts(root: Path) -> list[Path]:
    """What sh scripts source. It is checked together with those: only there its variables have values."""
    return [path for path in files(root) if path.suffix == ".sh" and not SHELL.match(first_line(root / path))]


# Name -> the command, for the repository or another folder, in which it runs. It fails where it finds something.
GATES: dict[str, Callable[[Path], list[str]]] = {
    "ruff check": lambda root: [*RUFF, "check", "--no-cache", "--output-format=concise", "."],
    "ruff format": lambda root: [*RUFF, "format", "--no-cache", "--check", "."],
    "mypy": lambda root: MYPY,
    "shellcheck": lambda root: ["shellcheck", "--check-sourced", "--format=gcc", "--", *map(str, scripts(root))],
}
API = "from minipaas_lib import api\n\n"
# Gate -> the folders of the repository that it reads with the file that has the fault.
BESIDE = {"mypy": ["minipaas_lib"]}
# Gate, file, its text with a fault, what the gate says of it.
FAULTS = [
    ("ruff check", "unused.py", "import os\n", "F401"),
    ("ruff check", "order.py", "import sys\nimport os\n\nprint(os, sys)\n", "I001"),
    ("ruff check", "long.py", f'"""{"long " * 30}"""\n', "E501"),
    ("ruff check", "needless.py", "number = 1  # noqa: F401\n", "RUF100"),
    ("ruff check", "bench/load", "#!/usr/bin/python3\nimport os\n", "F401"),
    ("ruff format", "quotes.py", "name = 'blog'\n", "quotes.py"),
    ("mypy", "plugins/sample/hooks.py", f"{API}number: int = api.paths.root()\n", 'variable has type "int"'),
    ("mypy", "plugins/sample/commands.py", f"{API}api.no_such_name()\n", 'no attribute "no_such_name"'),
    ("shellcheck", "tool", "#!/bin/sh\nrm $1\n", "SC2086"),
    ("shellcheck", "tool.sh", "#!/bin/sh\nif [[ $1 = a ]]; then exit 1; fi\n", "SC3010"),
]


def run(gate: str, root: Path) -> tuple[int, str]:
    """The exit status of a gate in the folder `root`, and what it says. Fails the test where the tool is missing."""
    command = GATES[gate](root)
    if not shutil.which(command[0]):
        pytest.fail(f"{command[0]} is missing. Run: sudo apt-get install {command[0]}")
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=240)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path):
    """A folder with the configuration of the repository and nothing else."""
    for name in CONFIGURATION:
        shutil.copy(HOUSE / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("gate", GATES)
def test_the_repository_passes(gate):
    status, said = run(gate, HOUSE)
    assert status == 0, said


@pytest.mark.parametrize(("gate", "name", "text", "told"), FAULTS, ids=[f"{gate} {name}" for gate, name, *_ in FAULTS])
def test_a_fault_is_found(folder, gate, name, text, told):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for beside in BESIDE.get(gate, ()):
        (folder / beside).symlink_to(HOUSE / beside)
    status, said = run(gate, folder)
    assert status == 1 and name in said and told in said


def test_every_gate_has_its_fault():
    assert {gate for gate, *_ in FAULTS} == set(GATES)


def test_every_sh_file_is_read(folder):
    """A fault in each of them, the sourced ones too, is named."""
    wanted = scripts(HOUSE) + parts(HOUSE)
    assert {Path("install.sh"), Path("minipaas_lib/install/nginx.sh"), Path("hooks/pre-receive")} <= set(wanted)
    for path in wanted:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HOUSE / path, folder / path)
        with open(folder / path, "a") as file:
            file.write("\necho $planted\n")
    said = run("shellcheck", folder)[1]
    found = {os.path.normpath(name) for name in re.findall(r"^(.*?):\d+:\d+: .*\[SC2086\]$", said, re.MULTILINE)}
    assert found == set(map(str, wanted))


def test_every_python_program_is_read():
    """Those without .py too: ruff finds them by extend-include."""
    said = subprocess.run([*RUFF, "check", "--show-files", "."], cwd=HOUSE, capture_output=True, text=True).stdout
    read = {os.path.relpath(line, HOUSE) for line in said.splitlines()}
    wanted = {str(path) for path in files(HOUSE) if path.suffix == ".py" or PYTHON.match(first_line(HOUSE / path))}
    assert wanted - read == set()


def test_what_shellcheck_is_not_to_say_has_its_reason():
    for path in scripts(HOUSE) + parts(HOUSE):
        for line in (HOUSE / path).read_text().splitlines():
            if re.search(r"# shellcheck (disable=|source=/dev/null)", line):
                assert re.search(r"=\S+ # \w", line), f"{path}: {line.strip()}"


def test_hooks_before_a_commit_are_local_and_have_the_same_tools():
    with open(HOUSE / ".pre-commit-config.yaml") as file:
        repositories = yaml.safe_load(file)["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    with open(HOUSE / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    hooks = repositories[0]["hooks"]
    assert {"ruff-check", "ruff-format", "mypy", "shellcheck"} <= {hook["id"] for hook in hooks}
    for hook in hooks:
        known = {*project["dependencies"], *project["optional-dependencies"]["test"]}
        assert set(hook.get("additional_dependencies", [])) <= known, hook["id"]

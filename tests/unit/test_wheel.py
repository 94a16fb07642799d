"""The wheel: whole, nothing of it outside minipaas_lib, and its command runs in a Python that has the libraries."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from minipaas_lib import __version__

HOUSE = Path(__file__).parents[2]
BELOW = ("plugins", "hooks", "nginx")  # beside minipaas_lib in a checkout, inside it in a wheel
LOADS_EVERY_COMMAND = """
from minipaas_lib import __main__, cli, main
from minipaas_lib.bus import index

main.program = lambda: None
__main__.program()
for name, entry in index.load().commands.items():
    assert cli.load(name, entry.plugin).name == name
print(len(index.load().plugins))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps", "--no-index"]
    run([*pip, "--no-build-isolation", "--no-cache-dir", "-w", out, HOUSE], tmp_path_factory.mktemp("home"))
    [path] = out.iterdir()
    return path


@pytest.fixture(scope="module")
def venv(tmp_path_factory, wheel):
    """A new virtual environment with the wheel, and the libraries of this one."""
    folder = tmp_path_factory.mktemp("venv")
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder)
    site = folder / os.path.relpath(sysconfig.get_path("purelib"), sys.prefix)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin/python"]
    run([*pip, "install", "-q", "--no-deps", "--no-index", wheel], folder)
    return folder


@pytest.fixture
def minipaas(venv, tmp_path):
    """Runs the command of the virtual environment in a world of its own; what it prints."""
    return lambda *words: run([venv / "bin/minipaas", *words], tmp_path)


def run(command: list, root: Path) -> str:
    """Run a command in the world `root`, outside the checkout; its output. A failure is the test's, with its words."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "MINIPAAS_ROOT": str(root)}
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def files(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """Path below `folder` -> content, and whether it can be run; what Python leaves beside sources is not counted."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), os.access(path, os.X_OK))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_nothing_of_it_is_at_the_top(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"minipaas_lib", f"minipaas-{__version__}.dist-info"}


def test_it_is_whole(wheel, tmp_path):
    shutil.copytree(HOUSE / "minipaas_lib", tmp_path / "wanted", ignore=shutil.ignore_patterns("__pycache__"))
    for name in BELOW:
        shutil.copytree(HOUSE / name, tmp_path / "wanted" / name)
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            os.chmod(archive.extract(entry, tmp_path), (entry.external_attr >> 16) & 0o777)
    assert files(tmp_path / "minipaas_lib") == files(tmp_path / "wanted")
    assert (tmp_path / f"minipaas-{__version__}.dist-info/licenses/LICENSE").read_text().strip().startswith("Apache")


def test_it_says_its_version(minipaas):
    assert minipaas("version") == f"minipaas {__version__}\n"


def test_its_plugins_are_there(minipaas):
    listed = {line.split()[0] for line in minipaas("plugin:list").splitlines()[1:]}
    assert listed == {path.parent.name for path in HOUSE.glob("plugins/*/plugin.toml")}


def test_its_help_names_every_group_of_commands(minipaas):
    said = minipaas("help")
    assert "apps" in said and "nginx" in said and "cluster" in said


def test_it_reads_its_templates_and_git_hooks(venv, tmp_path):
    names = [f"{path.parent.name}/{path.name}" for folder in ("nginx", "hooks") for path in (HOUSE / folder).iterdir()]
    code = "import sys; from minipaas_lib import paths; print(*map(paths.resource, sys.argv[1:]), sep='\\n')"
    assert run([venv / "bin/python", "-c", code, *names], tmp_path).splitlines() == [
        repr((HOUSE / name).read_bytes()) for name in names
    ]


def test_every_command_loads_whatever_else_is_called_plugins(venv, tmp_path):
    (tmp_path / "other/plugins").mkdir(parents=True)
    (tmp_path / "other/plugins/__init__.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'other')!r})\n{LOADS_EVERY_COMMAND}"
    plugins = list(HOUSE.glob("plugins/*/plugin.toml"))
    assert run([venv / "bin/python", "-c", code], tmp_path) == f"{len(plugins)}\n"


def test_it_tells_who_wants_to_install_it_where_that_is_done(venv, tmp_path):
    environment = {"PATH": os.environ["PATH"], "MINIPAAS_ROOT": str(tmp_path)}
    done = subprocess.run(
        [venv / "bin/minipaas", "install"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and "sudo ./install.sh" in done.stderr

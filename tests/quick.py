"""The host tests of what has changed since main: `python -m tests.quick` prints their files, for ./tests/run --quick.

A feature's are those that have its name in theirs, else the two that use its commands most. For a change of the kernel
it is the story of a push.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from tests.sampling import HOUSE, changed_files

STORY_OF_A_PUSH = "test_deploy.py"
MOST = 2  # files for a feature that has none of its own


def chosen(changed: Iterable[str], house: Path = HOUSE) -> list[str]:
    """Names of files in tests/host, for paths that have changed."""
    texts = {path.name: path.read_text() for path in (house / "tests/host").glob("test_*.py")}
    files: set[str] = set()
    for path in changed:
        top, _, rest = path.partition("/")
        if top in ("minipaas_lib", "hooks"):
            files.add(STORY_OF_A_PUSH)
        elif path.startswith("tests/host/") and Path(path).name in texts:
            files.add(Path(path).name)
        elif top == "plugins":
            files |= of_feature(rest.partition("/")[0], texts, house)
    return sorted(files)


def of_feature(feature: str, texts: dict[str, str], house: Path) -> set[str]:
    words = set(feature.split("_"))
    named = {name for name in texts if words & set(name.removesuffix(".py").split("_")[1:])}
    exact = {name for name in named if name.startswith(f"test_{feature}")}
    if named:
        return exact or named
    manifest = house / "plugins" / feature / "plugin.toml"
    if not manifest.exists():  # it is gone
        return set()
    commands = tomllib.loads(manifest.read_text()).get("commands", {})
    uses = {name: sum(text.count(f'"{command}"') for command in commands) for name, text in texts.items()}
    most = sorted((name for name in uses if uses[name]), key=lambda name: (-uses[name], name))
    return set(most[:MOST])


if __name__ == "__main__":
    print("\n".join(f"tests/host/{name}" for name in chosen(changed_files())))

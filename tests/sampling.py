"""Samples of the tests that take too long to run whole each time. `./tests/run --all` runs them whole.

The seed of a sample is MINIPAAS_SEED. CI derives it from the commit, so that what is tried rotates; a red run
prints it.
"""

import os
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

Case = TypeVar("Case")

HOUSE = Path(__file__).parents[1]
ALL = os.environ.get("MINIPAAS_ALL") == "1"
# In the environment, so that the other processes of pytest draw the same.
SEED = int(os.environ.setdefault("MINIPAAS_SEED", str(random.randrange(10**6))))


def sample(cases: Sequence[Case], count: int) -> list[Case]:
    """`count` of the cases, drawn by the seed, in their order; all of them under --all or where they are no more."""
    if ALL or len(cases) <= count:
        return list(cases)
    return [cases[index] for index in sorted(random.Random(SEED).sample(range(len(cases)), count))]


def changed_files() -> list[str]:
    """The files that differ from main, those that are not committed too; on main itself, from the commit before.

    None where git does not tell.
    """
    base = _git("merge-base", "HEAD", "origin/main") or _git("merge-base", "HEAD", "main")
    if not base or base == _git("rev-parse", "HEAD"):
        base = _git("rev-parse", "-q", "--verify", "HEAD^")
    if not base:
        return []
    names = _git("diff", "--name-only", base) + "\n" + _git("ls-files", "--others", "--exclude-standard")
    return sorted(filter(None, names.split("\n")))


def _git(*words: str) -> str:
    """What git prints, or nothing. A checkout may be another user's: root runs the tests."""
    command = ["git", "-c", "safe.directory=*", "-C", str(HOUSE), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""

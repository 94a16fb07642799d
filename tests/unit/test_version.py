"""One version in one place, and a changelog that keeps up with it (CONTRIBUTING.md, Releases)."""

import re
from pathlib import Path

from minipaas_lib import __version__
from minipaas_lib.bus import catalog

HOUSE = Path(__file__).parents[2]
HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}  # those of Keep a Changelog


def entries() -> list[tuple[str, str]]:
    """Version and day of each entry of the changelog, as they stand there."""
    text = (HOUSE / "CHANGELOG.md").read_text()
    found = HEADING.findall(text)
    assert len(found) == len(re.findall("^## ", text, re.MULTILINE)), "each entry is: ## [1.2.3] - 2026-11-22"
    return found


def test_the_newest_release_in_the_changelog_is_the_version():
    (newest, day), *released = entries()
    assert (newest, day) == ("Unreleased", "")
    assert released[0][0] == __version__


def test_releases_are_dated_and_the_newest_is_first():
    released = entries()[1:]
    assert all(day for _, day in released)
    numbers = [tuple(map(int, version.split("."))) for version, _ in released]
    assert numbers == sorted(set(numbers), reverse=True)
    assert [day for _, day in released] == sorted((day for _, day in released), reverse=True)


def test_changes_are_of_the_six_kinds():
    found = re.findall(r"^### (.+)$", (HOUSE / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert found and set(found) <= KINDS


def test_plugins_of_ours_have_the_version_of_the_program():
    assert {about["version"] for about in catalog.own().values()} == {__version__}

"""What a tree may hold: each limit, at it and one beyond."""

import pytest

from minipaas_lib.model import entries

DEEPEST = "/".join(["a"] * entries.DEPTH_LIMIT)


def of_length(count: int) -> str:
    """A path of that many bytes, whose names are short."""
    return ("a" * 99 + "/") * (count // 100) + "a" * (count % 100 or 1)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (DEEPEST, ""),
        (DEEPEST + "/a", "deeper than 99 folders"),
        ("a" * entries.NAME_LIMIT, ""),
        ("a" * (entries.NAME_LIMIT + 1), "a name of more than 255 bytes"),
        ("ü" * 127 + "a", ""),
        ("ü" * 128, "a name of more than 255 bytes"),
        (of_length(entries.PATH_LIMIT), ""),
        (of_length(entries.PATH_LIMIT + 1), "a path of more than 2,048 bytes"),
    ],
)
def test_the_size_of_a_path(path, fault):
    found = entries.size_fault(path)
    assert fault in found and bool(found) == bool(fault)


@pytest.mark.parametrize(
    ("path", "size", "fault"),
    [
        ("link", 1, ""),
        ("link", entries.LINK_LIMIT, ""),
        ("link", entries.LINK_LIMIT + 1, "a path of more than 4,095 bytes"),
        ("link", 0, "a link to nowhere"),
        ("a/.GitModules", 1, "git reads it"),
        (".gitmodules/link", 1, ""),
    ],
)
def test_a_link(path, size, fault):
    found = entries.link_fault(path, size)
    assert fault in found and bool(found) == bool(fault)


@pytest.mark.parametrize(
    ("name", "expected"),
    [(".git", True), (".GIT", True), ("git~1", True), (".g\u200cit", True), (".git . ", True), (".git:x", True),
     (".git\\x", True), (".gitx", False), ("git", False), ("git~2", False), (".gi\u2010t", False)],
)  # fmt: skip
def test_what_some_file_system_takes_for_dot_git(name, expected):
    assert entries.is_dot_git(name) is expected

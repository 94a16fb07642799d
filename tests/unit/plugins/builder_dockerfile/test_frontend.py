"""No line of a Dockerfile chooses which program reads it, and its line numbers stay the repository's own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api
from plugins.builder_dockerfile import frontend, namespace

BLANKS = [" ", "\t", "\v", "\f", "\r", "\x1c", "\x1d", "\x85", "\xa0", "\u2003", "\u2028", "\ufeff", ""]


def go_directive(line: bytes, comment: bytes) -> bool:
    """Whether BuildKit goes on searching below this line (directives.go of v0.8 to today, whichever takes more)."""
    line = line.removeprefix(b"\xef\xbb\xbf")
    if not line.startswith(comment):
        return False
    return bool(re.match(rb"[\s\x85\xa0]*[a-zA-Z][a-zA-Z0-9]*[\s]*=[\s]*.+", line[len(comment) :]))


@given(
    st.lists(
        st.sampled_from(
            [
                "#",
                "//",
                "syntax",
                "=",
                "evil/x",
                "{",
                '"syntax":"x"}',
                "#!",
                "\n",
                "\r\n",
                "escape",
                "`",
                "check",
                *BLANKS,
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_every_search_ends_before_the_text(text):
    made = frontend.guarded(text.encode())
    lines = made.content.split(b"\n")
    assert lines[made.shift - 1] + b"\n" == frontend.GUARD
    assert not go_directive(lines[made.shift - 1], b"#") and not go_directive(lines[0], b"//") and lines[0][:2] != b"#!"
    assert all(re.fullmatch(rb"# escape=[\\`]|# check=[A-Za-z0-9=;,_-]+", line) for line in lines[: made.shift - 1])
    assert made.content.endswith(text.encode().removeprefix(b"\xef\xbb\xbf"))
    assert not any(go_directive(line, b"#") and b"syntax" in line.lower() for line in lines[: made.shift])


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("# syntax=docker/dockerfile:1\nFROM x\n", "docker/dockerfile:1"),
        ("#syntax = docker/dockerfile\r\nFROM x\n", "docker/dockerfile"),
        ("# Syntax=evil/x\nFROM x\n", "evil/x"),
        ("# escape=`\n# syntax=evil\n", "evil"),
        ("\ufeff# syntax=evil\n", "evil"),
        ("#!/usr/bin/env x\n# syntax=evil\n", "evil"),
        ("FROM x\n# syntax=evil\n", ""),
        ("\n# syntax=evil\n", ""),
        ("# a comment\n# syntax=evil\n", ""),
        ("// syntax=evil\n", ""),
        ('{"syntax": "x"}', ""),
        ("#\fsyntax=evil\n", ""),
        ("#\u2028syntax=evil\n", ""),
        ("# syntax=docker/dockerfile:1\v\n", "docker/dockerfile:1\v"),
        ("", ""),
    ],
)
def test_what_is_asked_for_in_plain_words_is_seen(text, syntax):
    assert frontend.guarded(text.encode()).syntax == syntax


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("# escape=`\nFROM x\n", "# escape=`\n"),
        ("# check=skip=all;error=true\n# escape = \\ \nFROM x\n", "# escape=\\\n# check=skip=all;error=true\n"),
        ("# escape=``\nFROM x\n", ""),
        ("# escape=\nFROM x\n", ""),
        ("# check=a b\nFROM x\n", ""),
        ("FROM x\n# escape=`\n", ""),
        ("# escape=`\n# escape=\\\nFROM x\n", "# escape=`\n"),
    ],
)
def test_directives_that_name_no_program_stay_in_force(text, head):
    made = frontend.guarded(text.encode())
    assert made.content == head.encode() + frontend.GUARD + text.encode()
    assert made.shift == head.count("\n") + 1


def test_bytes_that_are_no_text_stay_as_they_are():
    assert frontend.guarded(b"\xef\xbb\xbfFROM \xff\n").content == frontend.GUARD + b"FROM \xff\n"


@pytest.mark.parametrize(
    ("reference", "dockers", "recent"),
    [
        ("docker/dockerfile", True, True),
        ("docker/dockerfile:1", True, True),
        ("docker.io/docker/dockerfile:1.4", True, True),
        ("docker/dockerfile:1.7-labs", True, True),
        ("docker/dockerfile:experimental", True, True),
        ("docker/dockerfile:1.1", True, True),
        ("docker/dockerfile:1.1.7-experimental", True, True),
        ("docker/dockerfile:2", True, True),
        ("docker/dockerfile:1.0", True, False),
        ("docker/dockerfile:1.0-experimental", True, False),
        ("docker/dockerfile:1.1.1", True, False),
        ("docker/dockerfile:0.9", True, False),
        ("docker/dockerfile:master", True, False),
        ("docker/dockerfile:1.10.0", True, True),
        ("docker/dockerfile:1@sha256:" + "a" * 64, False, None),
        ("docker/dockerfile-upstream:master", False, None),
        ("minipaas/evil:v1", False, None),
        ("docker/dockerfile-evil", False, None),
        ("evil.io/docker/dockerfile", False, None),
        ("docker/dockerfile/x", False, None),
        ("docker/dockerfile:1 x", False, None),
        ("docker/dockerfile:1\v", False, None),
        ("docker/dockerfile:1\n", False, None),
    ],
)
def test_only_dockers_own_and_none_that_shares_cache_mounts(reference, dockers, recent):
    assert frontend.is_dockers(reference) is dockers
    assert not dockers or frontend.is_recent(reference) is recent


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            (
                "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error "
                "line 3: unknown instruction: FORM"
            ),
            (
                "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error "
                "line 2: unknown instruction: FORM"
            ),
        ),
        (
            "ERROR: failed to solve: dockerfile parse error on line 3: unknown instruction: FORM",
            "ERROR: failed to solve: dockerfile parse error on line 2: unknown instruction: FORM",
        ),
        (
            "Error response from daemon: Dockerfile parse error line 3: x",
            "Error response from daemon: Dockerfile parse error line 2: x",
        ),
        (
            "Error response from daemon: failed to parse .dockerfile.6e98bd716535eb98b79f: ENV must have two arguments",
            "Error response from daemon: failed to parse Dockerfile: ENV must have two arguments",
        ),
        ("Dockerfile:3", "Dockerfile:2"),
        ("   3 | >>> FORM x", "   2 | >>> FORM x"),
        ("   1 |     # what", ""),
        (" - JSONArgsRecommended: JSON arguments (line 3)", " - JSONArgsRecommended: JSON arguments (line 2)"),
        (
            "#5 0.213 dockerfile parse error line 3: printed by a step",
            "#5 0.213 dockerfile parse error line 3: printed by a step",
        ),
        ("0.1    3 | a", "0.1    3 | a"),
        ("Dockerfile:3x", "Dockerfile:3x"),
        ("dockerfile parse error line 1: ", "dockerfile parse error line 1: "),
    ],
)
def test_line_numbers_are_counted_back(line, shown):
    assert frontend.counted_back(line, 1, "Dockerfile") == shown


@given(st.text(), st.integers(1, 3), st.text())
def test_any_line_can_be_counted_back(line, shift, name):
    shown = frontend.counted_back(line, shift, name)
    assert shown == line or any(character.isdecimal() for character in line)


def test_cache_mounts_go_with_their_app_and_nobody_else(world, fake):
    for name in ("blog", "other"):
        world.ok("apps:create", name)
    mine = namespace.of(api.app("blog"))
    assert re.fullmatch("[0-9a-f]{32}", mine) and namespace.of(api.app("blog")) == mine != namespace.of(
        api.app("other")
    )
    api.edit_app("blog", lambda document: document.update(created="2020-01-01T00:00:00Z"))
    mine = namespace.of(api.app("blog"))
    api.kernel.clone_app("blog", "copy")
    assert namespace.of(api.app("copy")) != mine == namespace.of(api.app("blog"))
    api.kernel.rename_app("blog", "shop")
    assert namespace.of(api.app("shop")) == mine
    api.kernel.create_app("blog")
    assert namespace.of(api.app("blog")) != mine
    identity = api.kernel.destroy_app("shop")
    api.kernel.create_app("shop")
    assert namespace.of(api.app("shop")) != mine
    api.kernel.destroy_app("shop", now=True)
    api.kernel.trash.restore(identity)
    assert namespace.of(api.app("shop")) == mine

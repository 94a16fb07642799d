import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.builder_dockerfile import build
from plugins.builder_dockerfile.progress import (
    LINE_LIMIT,
    BuildKitProgress,
    ClassicProgress,
    clean,
    hint_for,
    reason_of,
)

BUILDKIT = """\
#1 [internal] load build definition from Dockerfile
#1 sha256:5fc8ce523ee74f061bb785ab150b309d92fb95917f3f71b76782c70441010659
#1 transferring dockerfile: 225B done
#1 DONE 0.0s

#4 [1/3] FROM docker.io/library/python:3.12
#4 sha256:3cd26d83d232faa404f4b53c5887fe5f4e62ded380de6968a24ee841aa74af05 3.15MB / 27MB 1.2s
#4 extracting sha256:3cd26d83d232faa404f4b53c5887fe5f4e62ded380de6968a24ee841aa74af05
#4 CACHED

#5 [2/3] RUN echo
#5 0.171 hello
#5 ...

#6 [3/3] RUN other
#6 0.2 there
#5 [2/3] RUN echo
#5 0.3 world
#5 DONE 0.2s
"""
FAILURE = """\
#6 0.5 bang
#6 ERROR: executor failed running [/bin/sh -c other]: exit code: 3
------
 > [3/3] RUN other:
#6 0.5 bang
------
executor failed running [/bin/sh -c other]: exit code: 3
"""
CLASSIC = """\
Sending build context to Docker daemon  1.985MB
Step 1/2 : FROM scratch
 --->
Step 2/2 : RUN ["/bin/busybox", "false"]
 ---> Running in 018319c805a5
bang
The command '/bin/busybox false' returned a non-zero code: 1
"""


def feed(progress, text):
    return [line for given_line in text.splitlines() for line in progress.feed(given_line)]


def test_buildkit_shows_steps_and_what_they_print():
    assert feed(BuildKitProgress(), BUILDKIT) == [
        "[1/3] FROM docker.io/library/python:3.12",
        "  (cached)",
        "[2/3] RUN echo",
        "  hello",
        "[3/3] RUN other",
        "  there",
        "[2/3] RUN echo",
        "  world",
    ]


def test_buildkit_failure_names_the_step_and_keeps_its_last_lines():
    progress = BuildKitProgress()
    feed(progress, BUILDKIT + FAILURE)
    assert (progress.failed_step, progress.reason, progress.last) == (
        "[3/3] RUN other",
        "exit code 3",
        ["there", "bang"],
    )


@pytest.mark.parametrize(
    "text, step, reason",
    [
        (
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error"
            " line 1: unknown instruction: FORM",
            "",
            "dockerfile parse error line 1: unknown instruction: FORM",
        ),
        (
            '#4 [1/1] COPY nope /x\n#4 ERROR: "/nope" not found: not found\n------\n > [1/1] COPY nope /x:\n------\n'
            'failed to compute cache key: "/nope" not found: not found',
            "[1/1] COPY nope /x",
            '"/nope" not found: not found',
        ),
        (
            "#3 [internal] load metadata for docker.io/library/nosuch:1\n"
            "#3 ERROR: failed to do request: no such host\n------",
            "load metadata for docker.io/library/nosuch:1",
            "failed to do request: no such host",
        ),
        (
            'ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1',
            "",
            "exit code 1",
        ),
        ("Cannot connect to the Docker daemon at unix:///x. Is it running?", "", None),
    ],
)
def test_buildkit_reasons(text, step, reason):
    progress = BuildKitProgress()
    feed(progress, text)
    assert progress.failed_step == step
    assert progress.reason == reason or (reason is None and progress.reason.startswith("Cannot connect"))


def test_classic_shows_steps_and_what_they_print():
    progress = ClassicProgress()
    assert feed(progress, CLASSIC)[:3] == ["[1/2] FROM scratch", '[2/2] RUN ["/bin/busybox", "false"]', "  bang"]
    assert (progress.failed_step, progress.reason) == ('[2/2] RUN ["/bin/busybox", "false"]', "exit code 1")
    assert progress.last == ["bang"]


def test_every_kind_of_reason_has_a_hint_of_its_own():
    reasons = [
        "exit code 1",
        "exit code 137",
        "target stage x could not be found",
        "unknown instruction: X",
        '"/x" not found',
        "no such host",
        "no space left on device",
    ]
    assert len({hint_for(reason) for reason in reasons}) == len(reasons)


@given(st.lists(st.text(max_size=60) | st.from_regex(r"#[0-9] (ERROR: |DONE |CACHED|0\.1 )?.*", fullmatch=True)))
def test_no_build_can_confuse_it_or_reach_the_terminal(lines):
    for progress in (BuildKitProgress(), ClassicProgress()):
        for line in lines:
            for shown in progress.feed(line):
                assert len(shown) <= LINE_LIMIT + 10
                assert "\x1b" not in shown and "\x07" not in shown and "\x9b" not in shown
        assert "\x1b" not in progress.reason + progress.failed_step


def test_clean_removes_colours_and_cuts():
    assert clean("\x1b[31mred\x1b[0m \x1b]0;title\x07x\r") == "red x"
    assert len(clean("x" * 10**6)) == LINE_LIMIT + 1


def test_reason_of_is_bounded():
    assert len(reason_of("x" * 10**6)) == 300


def test_what_a_failed_download_printed_leads_to_the_authority_of_builds():
    words = BuildKitProgress()
    for line in (
        "#7 [2/2] RUN pip install flask",
        "#7 1.2 SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))",
        "#7 1.3 ERROR: No matching distribution found for flask",
        '#7 ERROR: process "/bin/sh -c pip install flask" did not complete successfully: exit code: 1',
    ):
        words.feed(line)
    assert "builder:set blog ca-file" in build._failure(words, "blog").hint
    words.last = ["ModuleNotFoundError"]
    assert "ca-file" not in build._failure(words, "blog").hint

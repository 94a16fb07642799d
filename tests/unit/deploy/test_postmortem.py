"""The likely cause of a failed process, in one sentence, and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.deploy import postmortem
from minipaas_lib.model.process import Diagnosis, Process

WEB = Process("blog_v2.web.1", "blog", 2, "web", 1, port=5000)


def seen(state="running", code=0, memory=False, log=(), listening=(), error=""):
    return Diagnosis(state, code, memory, tuple(log), tuple(listening), error)


CASES = [
    (seen("exited", 1), "web stopped at once with exit code 1: it printed nothing", "logs:failed blog"),
    (
        seen("exited", 1, log=["boom"]),
        "web stopped at once with exit code 1: see its last lines above",
        "logs:failed blog",
    ),
    (
        seen("exited", None),
        "web stopped at once with an unknown exit code: it printed nothing",
        "logs:failed blog",
    ),
    (seen("restarting", 127), "exit code 127: the command was not found in the image", "logs:failed blog"),
    (seen("exited", 137, memory=True), "web ran out of memory (exit code 137)", "logs:failed blog"),
    (seen("exited", 137), "for lack of memory", "logs:failed blog"),
    (seen(error="exec: no such file"), "web could not run: exec: no such file", "logs:failed blog"),
    (seen(), "web does not listen on port 5000", "logs:failed blog"),
    (
        seen(),
        "web does not listen on port 5000",
        "call its type worker in the Procfile and scale it: ps:scale blog worker=1, or: checks:skip blog web",
    ),
    (seen(listening=[("0.0.0.0", 3000)]), "web listens on port 3000, but PORT is 5000", "config:set blog PORT=3000"),
    (seen(listening=[("127.0.0.1", 5000)]), "web listens on 127.0.0.1:5000 only", "make the app listen on 0.0.0.0"),
    (seen(listening=[("::1", 5000), ("127.0.0.53", 5000)]), "listens on 127.0.0.1:5000 only", "0.0.0.0"),
    (seen(listening=[("::ffff:127.0.0.1", 5000)]), "listens on 127.0.0.1:5000 only", "0.0.0.0"),
]


@pytest.mark.parametrize(("diagnosis", "cause", "advice"), CASES)
def test_cause_and_advice(diagnosis, cause, advice):
    assert cause in postmortem.cause(WEB, diagnosis)
    assert advice in postmortem.advice(WEB, diagnosis)


@given(
    st.builds(
        Diagnosis,
        state=st.sampled_from(["created", "running", "restarting", "exited", "missing"]),
        exit_code=st.none() | st.integers(0, 255),
        out_of_memory=st.booleans(),
        log=st.lists(st.text(), max_size=3).map(tuple),
        listening=st.lists(st.tuples(st.sampled_from(["0.0.0.0", "127.0.0.1", "::"]), st.integers(1, 65535))).map(
            tuple
        ),
        error=st.sampled_from(["", "exec: gone"]),
    )
)
def test_there_is_always_one_sentence(diagnosis):
    for words in (postmortem.cause(WEB, diagnosis), postmortem.advice(WEB, diagnosis)):
        assert words and "\n" not in words and "None" not in words


def test_a_report_shows_the_last_lines_once_then_the_phase(capsys):
    with (
        pytest.raises(errors.DeployFailed) as caught,
        postmortem.phase("outer"),
        postmortem.phase("while starting web.1"),
    ):
        raise postmortem.failure(WEB, seen("exited", 1, log=["one", "two"]))
    assert "exit code 1" in caught.value.message and capsys.readouterr().err == ""
    postmortem.report("v2", caught.value, "v1 is still live")
    assert capsys.readouterr().err.splitlines() == [
        " !     the last lines of blog_v2.web.1:",
        "         one",
        "         two",
        " !     v2 failed while starting web.1; v1 is still live",
    ]
    postmortem.report("v3", KeyboardInterrupt(), "v1 is still live")
    assert capsys.readouterr().err == " !     v3 failed; v1 is still live\n"


def test_what_a_running_process_did_not_do_goes_before_a_guess():
    error = postmortem.failure(WEB, seen(listening=[("::", 5000)]), "no answer")
    assert (error.message, error.hint) == ("no answer", "logs:failed blog")
    error = postmortem.failure(WEB, seen(listening=[("::", 3000)]), "no answer")
    assert error.message == "no answer; web listens on port 3000, but PORT is 5000" and "PORT=3000" in error.hint
    assert "exit code 3" in postmortem.failure(WEB, seen("exited", 3), "no answer").message

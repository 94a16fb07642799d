import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.journal import held
from minipaas_lib.push import push_options


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(held, "patience", 0.0)


def test_options_are_read_as_git_hands_them_over():
    environment = {"GIT_PUSH_OPTION_COUNT": "2", "GIT_PUSH_OPTION_0": "wait", "GIT_PUSH_OPTION_1": ""}
    assert push_options.given(environment) == ["wait", ""]
    assert push_options.given({}) == [] and push_options.given({"GIT_PUSH_OPTION_COUNT": "x"}) == []


@pytest.mark.parametrize(
    ("options", "seconds"), [([], 0), (["wait"], 600), (["wait=30"], 30), (["wait", "wait=0.5"], 0.5)]
)
def test_wait(options, seconds, capsys):
    push_options.obey(options)
    assert held.patience == seconds and capsys.readouterr().err == ""


@pytest.mark.parametrize("value", ["", "x", "-1", "nan", "inf", "1e9", "1234567", "\u0663"])
def test_a_time_that_is_none_is_refused(value):
    with pytest.raises(errors.UsageError) as caught:
        push_options.obey([f"wait={value}"])
    assert caught.value.hint == "git push -o wait=60" and held.patience == 0


def test_an_option_that_means_nothing_here_is_named_and_ignored(capsys):
    push_options.obey(["ci.skip", "wiat", "\x1b[2J", "d", "wait=5"])
    said = capsys.readouterr().err
    assert (
        '"ci.skip", "wiat"' in said
        and "and 1 more: ignored, there is no such push option" in said
        and "\x1b" not in said
    )
    assert held.patience == 5


@given(st.lists(st.text(max_size=20), max_size=5))
def test_anything_is_answered(options):
    try:
        push_options.obey(options)
    except errors.UsageError as error:
        assert "\n" not in error.message

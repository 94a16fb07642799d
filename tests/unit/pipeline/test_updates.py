import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.pipeline.updates import Update, choose_update, parse_updates

OLD, NEW, NONE = "1" * 40, "2" * 40, "0" * 40


def test_parse_updates_reads_what_git_writes():
    assert parse_updates(f"{OLD} {NEW} refs/heads/main\n") == [Update(OLD, NEW, "refs/heads/main")]
    assert parse_updates("") == []
    assert parse_updates(f"{OLD} {NEW} refs/heads/\u00e9t\u00e9\n")[0].branch == "\u00e9t\u00e9"


@given(st.text())
def test_parse_updates_answers_anything(text):
    try:
        assert all(isinstance(update, Update) for update in parse_updates(text))
    except errors.UsageError as error:
        assert "\n" not in error.message


@given(st.text(min_size=1, max_size=50), st.text(min_size=1, max_size=50))
def test_choose_update_takes_only_the_deploy_branches(name, app):
    update = Update(OLD, NEW, "refs/heads/" + name)
    if name in ("main", "master"):
        assert choose_update([update], ["main", "master"], app) == update
    else:
        with pytest.raises(errors.MinipaasError):
            choose_update([update], ["main", "master"], app)


@pytest.mark.parametrize(
    "updates, said, hint",
    [
        ([], "nothing was pushed, and blog deploys only branches", "git push <remote> HEAD:main"),
        (
            [Update(NONE, NEW, "refs/tags/v1")],
            'the tag "v1" was pushed, and blog deploys only branches',
            "git push <remote> v1^{commit}:main",
        ),
        (
            [Update(NONE, NEW, "refs/heads/dev")],
            "'dev' is not deployed by blog: it deploys main or master",
            "git push <remote> dev:main, or: ssh paas@<host> git:set blog deploy-branch dev",
        ),
        (
            [Update(OLD, NONE, "refs/heads/main")],
            "the branch 'main' of blog cannot be deleted by a push",
            "ssh paas@<host> apps:destroy blog",
        ),
        (
            [Update(OLD, NEW, f"refs/heads/{n}") for n in "abcde"],
            "5 branches were pushed (a, b, c, ...), and blog deploys one at a time",
            "git push <remote> main",
        ),
        (
            [Update(OLD, NEW, "refs/for/main")],
            '"refs/for/main" is not a branch, and blog deploys branches',
            "git push <remote> main",
        ),
    ],
)
def test_what_cannot_be_deployed_is_said_with_what_to_type(updates, said, hint):
    with pytest.raises(errors.MinipaasError) as caught:
        choose_update(updates, ["main", "master"], "blog")
    assert (caught.value.message, caught.value.hint) == (said, hint)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.git.ref_updates import Update, parse_updates, sort_updates

BRANCHES = ["main", "master"]
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
def test_only_the_deploy_branches_are_deployed(name, app):
    update = Update(OLD, NEW, "refs/heads/" + name)
    if name in ("main", "master"):
        assert sort_updates([update], BRANCHES, app).deploy == update
    else:
        with pytest.raises(errors.MinipaasError):
            sort_updates([update], BRANCHES, app)


REFS = st.sampled_from(
    [
        "refs/heads/main",
        "refs/heads/master",
        "refs/heads/dev",
        "refs/heads/x/y",
        "refs/tags/v1",
        "refs/tags/main",
        "refs/notes/x",
    ]
)
OBJECTS = st.sampled_from([NONE, OLD, NEW])


@given(
    st.lists(st.tuples(REFS, OBJECTS), unique_by=lambda pair: pair[0]), st.sampled_from(["main", "master", "dev", ""])
)
def test_each_update_has_one_fate_and_no_branch_is_kept_that_is_not_deployed(pairs, head):
    pushed = [Update(OLD, new, ref) for ref, new in pairs]
    try:
        push = sort_updates(pushed, BRANCHES, "blog", head)
    except errors.MinipaasError:
        assert not any(update.branch in BRANCHES and not update.deletes for update in pushed)
        return
    fates = [*push.kept, *(refusal.update for refusal in push.refused), *([push.deploy] if push.deploy else [])]
    assert sorted(fates) == sorted(pushed)
    for update in push.kept:
        assert update.tag or (update.deletes and update.branch not in BRANCHES) or update.new == push.deploy.new
        assert update.branch not in ("dev", "x/y") or update.deletes
    if push.deploy is None:
        assert pushed and all(update.deletes for update in push.kept) and not push.refused


MAIN, MASTER, DEV = (Update(OLD, NEW, f"refs/heads/{name}") for name in ("main", "master", "dev"))
TAG = Update(NONE, OLD, "refs/tags/v1")


def test_what_is_deployed_is_deployed_and_all_else_has_its_reason():
    push = sort_updates(
        [DEV, MAIN, TAG, Update(NONE, OLD, "refs/notes/x"), Update(OLD, NONE, "refs/heads/master")], BRANCHES, "blog"
    )
    assert push.deploy == MAIN and push.kept == (TAG,)
    assert [refusal.message for refusal in push.refused] == [
        "'dev' is not deployed by blog: it deploys main or master",
        '"refs/notes/x" is not a branch, and blog deploys branches',
        "the branch 'master' of blog cannot be deleted by a push",
    ]


def test_of_two_branches_that_deploy_the_one_is_deployed_that_a_clone_gets():
    other = Update(OLD, OLD, "refs/heads/master")
    push = sort_updates([MAIN, other], BRANCHES, "blog", head="master")
    assert (
        push.deploy == other
        and push.refused[0].message
        == "'main' is not deployed together with 'master': blog deploys one branch at a time"
    )
    assert sort_updates([other, MAIN], BRANCHES, "blog").deploy == MAIN
    assert sort_updates([MASTER, MAIN], BRANCHES, "blog").kept == (MASTER,), "the same commit"


def test_a_push_that_has_nothing_to_deploy_is_fine_where_nothing_was_meant_to_be():
    gone = Update(OLD, NONE, "refs/heads/old")
    assert sort_updates([gone, Update(OLD, NONE, "refs/tags/v1")], BRANCHES, "blog", head="main").deploy is None
    assert sort_updates([TAG], BRANCHES, "blog", is_live=lambda name: name == OLD).kept == (TAG,)
    with pytest.raises(errors.MinipaasError, match="the tag"):
        sort_updates([TAG, gone], BRANCHES, "blog", is_live=lambda name: False)
    with pytest.raises(errors.MinipaasError, match="cannot be deleted"):
        sort_updates([gone], BRANCHES, "blog", head="old")
    moved = sort_updates([gone, Update(NONE, NEW, "refs/heads/live")], ["live"], "blog", head="old")
    assert moved.kept == (gone,), "a clone gets another branch by then"


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
            "5 references were pushed (a, b, c, ...), and blog deploys main or master",
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
        sort_updates(updates, BRANCHES, "blog")
    assert (caught.value.message, caught.value.hint) == (said, hint)


def test_thousands_of_references_are_not_refused_one_by_one():
    """git runs a hook for each of them."""
    others = [Update(NONE, NEW, f"refs/heads/b{number}") for number in range(2001)]
    main = Update(NONE, NEW, "refs/heads/main")
    assert len(sort_updates([*others[1:], main], BRANCHES, "blog").refused) == 2000
    with pytest.raises(errors.MinipaasError, match="2,001 references were pushed that blog does not deploy") as caught:
        sort_updates([*others, main], BRANCHES, "blog")
    assert caught.value.hint == "git push <remote> main"
    tags = [Update(NONE, NEW, f"refs/tags/{number}") for number in range(2001)]
    assert len(sort_updates([*tags, main], BRANCHES, "blog").kept) == 2001

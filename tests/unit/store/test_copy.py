"""Copying a tree from store to store: exact, taken up after a kill, refused over somebody else's state."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.store import copy
from minipaas_lib.store.copy import Copied
from minipaas_lib.store.directory import DirectoryStore

TREE = {
    "platform.toml": "schema = 1\n",
    "apps/a/app.toml": "# ü\n",
    "apps/a/releases/1.toml": "",
    "users/me.toml": "x = 1\n",
}


@pytest.fixture
def source(tmp_path):
    store = DirectoryStore(str(tmp_path / "from"), str(tmp_path / "from-locks"))
    for path, text in TREE.items():
        store.write(path, text)
    return store


@pytest.fixture
def target(store):
    """Every backend in turn."""
    return store


def tree(store):
    return {path: found.text for path, found in store.read_all().documents.items()}


def test_a_copy_is_exact_and_a_second_one_does_nothing(source, target):
    source.write("services/a/web.1", "x", ttl=60)
    source.write("addresses/last", "y")
    assert copy.copy(source, target, skip=("addresses",)) == Copied(4, 0, 0)
    assert tree(target) == TREE
    revisions = {path: target.read(path).revision for path in TREE}
    assert copy.copy(source, target, skip=("addresses",)) == Copied(0, 0, 4)
    assert {path: target.read(path).revision for path in TREE} == revisions
    assert copy.unfinished(target) is None


def test_back_again(source, target, tmp_path):
    copy.copy(source, target)
    target.write("apps/a/app.toml", "changed = true\n")
    target.delete_tree("users")
    target.write("routers/node", "7", ttl=60)
    with pytest.raises(errors.UsageError, match=r"already other state \(4 documents: apps/a/app.toml"):
        copy.copy(target, source)
    assert tree(source) == TREE
    assert copy.copy(target, source, replace=True) == Copied(1, 1, 2)
    assert tree(source) == {path: text for path, text in tree(target).items() if path != "routers/node"}
    empty = DirectoryStore(str(tmp_path / "empty"), str(tmp_path / "empty-locks"))
    assert copy.copy(target, empty) == Copied(3, 0, 0)


class Mortal:
    """A store that is killed at its n-th change."""

    def __init__(self, store, lives: int) -> None:
        self.store, self.lives = store, lives

    def __getattr__(self, name):
        method = getattr(self.store, name)
        if name not in ("write", "delete"):
            return method

        def change(*arguments, **named):
            if self.lives == 0:
                raise KeyboardInterrupt
            self.lives -= 1
            return method(*arguments, **named)

        return change


@pytest.mark.parametrize("lives", range(9))
def test_a_copy_killed_at_any_change_is_taken_up(source, target, lives):
    target.write("apps/old/app.toml", "of an earlier time")
    target.write("users", "a document where the source has a folder")
    try:
        copy.copy(source, Mortal(target, lives), origin="here", replace=True)
    except KeyboardInterrupt:
        assert copy.unfinished(target) == (None if lives == 0 else "here")
        if lives < 7:  # there only the note is left to be removed
            with pytest.raises(errors.UsageError):
                copy.copy(source, target, origin="elsewhere")
        source.write("apps/a/app.toml", "meanwhile")
        copy.copy(source, target, origin="here", replace=lives == 0)
    else:
        assert lives == 8
    assert tree(target) == tree(source) and copy.unfinished(target) is None


def test_what_changes_meanwhile_is_copied_too(source, target):
    class Busy(Mortal):
        def read_all(self):
            self.lives -= 1
            if self.lives > 0:
                source.write("counters/a", str(self.lives))
            return source.read_all()

    copy.copy(Busy(source, 3), target)
    assert tree(target) == tree(source)
    with pytest.raises(errors.Conflict):
        copy.copy(Busy(source, 100), target, replace=True)
    assert copy.unfinished(target) == ""


def test_a_change_of_the_target_is_not_overwritten(source, target):
    class Shared(Mortal):
        def write(self, path, text, revision=None, **named):
            if path == "apps/a/app.toml":
                target.write(path, "somebody else's")
            return target.write(path, text, revision, **named)

    with pytest.raises(errors.Conflict):
        copy.copy(source, Shared(target, -1))
    assert target.read("apps/a/app.toml").text == "somebody else's"


def test_a_document_that_cannot_be_read_is_named(source, target, tmp_path):
    (tmp_path / "from" / "apps" / "a" / "app.toml").write_bytes(b"a = 1\n\xff")
    with pytest.raises(errors.BadConfig, match="apps/a/app.toml"):
        copy.copy(source, target)
    assert tree(target) == {}


paths = st.sampled_from(["a", "b/c", "b/d/e", "f.toml", "g@h:1"])
trees = st.dictionaries(paths, st.text(st.characters(codec="utf-8"), max_size=10))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees, trees)
def test_any_tree_becomes_any_other(store, tmp_path, one, other):
    source = DirectoryStore(str(tmp_path / "from"), str(tmp_path / "from-locks"))
    for each, documents in ((source, one), (store, other)):
        for path in each.list():
            each.delete(path)
        for path, text in documents.items():
            each.write(path, text)
    copy.copy(source, store, replace=True)
    assert tree(store) == tree(source) == one

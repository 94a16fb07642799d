"""What differs between two releases: complete, symmetric, and without config values."""

import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib.model.difference import difference, names
from minipaas_lib.model.release import Release

OLD = Release(
    "blog",
    1,
    "sha256:" + "a" * 64,
    commit="c" * 40,
    builder="dockerfile",
    commands={"web": "", "clock": "tick"},
    config={"A": "secret-1", "B": "secret-2"},
    formation={"web": 1, "clock": 0},
    port=5000,
    options={"web": {"memory": 1024, "mounts": [["/a", "/b", "rw"]]}},
    routing={"domains": ["a.test", "b.test"], "settings": {"body": "secret-3"}},
)


def test_nothing_differs():
    found = difference(OLD, dataclasses.replace(OLD, number=7, reason="restart", processes=7))
    assert not found and found.lines() == []


def test_everything_differs():
    new = Release(
        "blog",
        2,
        "sha256:" + "b" * 64,
        commit="d" * 40,
        builder="other",
        commands={"web": "serve", "worker": "work"},
        config={"B": "secret-4", "C": "secret-5"},
        formation={"web": 3, "worker": 1},
        port=5000,
        tasks={"release": "migrate"},
        options={"web": {"memory": 2048}},
        routing={
            "domains": ["b.test", "c.test"],
            "settings": {"body": "secret-6"},
            "listeners": [["http", 8080, 5000]],
        },
    )
    found = difference(OLD, new)
    assert found.config.to_document() == {"added": ["C"], "changed": ["B"], "removed": ["A"]}
    assert found.domains.words() == "added c.test, removed a.test" and found.routing.changed == ("body",)
    assert found.formation == {"web": (1, 3), "worker": (0, 1)}
    assert found.commands == {"web": ("", "serve"), "clock": ("tick", None), "worker": (None, "work")}
    assert found.options == {"web memory": (1024, 2048), "web mounts": ([["/a", "/b", "rw"]], None)}
    assert found.ports == ([["http", 80, 5000]], [["http", 8080, 5000]])
    text = json.dumps(found.to_document()) + str(found.lines())
    assert "secret" not in text
    lines = dict(found.lines())
    assert lines["image"] == "aaaaaaaaaaaa -> bbbbbbbbbbbb" and lines["commit"] == "cccccccc -> dddddddd"
    assert lines["ports"] == "http:80:5000 -> http:8080:5000"


def test_checks_of_app_json_are_told_by_name():
    up, ready = {"type": "startup", "name": "up", "path": "/"}, {"type": "readiness", "name": "ready", "path": "/r"}
    secret = up | {"headers": [["Authorization", "secret"]]}
    old = dataclasses.replace(OLD, healthchecks={"web": [up], "clock": [ready]})
    new = dataclasses.replace(OLD, healthchecks={"web": [secret, ready], "clock": []})
    found = difference(old, new)
    assert found.checks.to_document() == {"added": ["web ready"], "changed": ["web up"], "removed": ["clock ready"]}
    assert found.lines() == [("checks", "added web ready, changed web up, removed clock ready")]
    assert "secret" not in json.dumps(found.to_document()) and not difference(new, new)


def test_the_variable_that_names_the_commit_is_no_change_of_config():
    old = dataclasses.replace(OLD, config={"GIT_REV": OLD.commit, "A": "1"})
    new = dataclasses.replace(old, commit="d" * 40, config={"GIT_REV": "d" * 40, "A": "1"})
    assert [what for what, _ in difference(old, new).lines()] == ["commit"]
    own = dataclasses.replace(new, config={"GIT_REV": "mine", "A": "1"})
    assert difference(old, own).config.changed == ("GIT_REV",), "somebody set it"
    assert difference(old, dataclasses.replace(new, config={"A": "1"})).config.removed == ("GIT_REV",)
    bare = dataclasses.replace(OLD, commit="", config={"A": ""})
    assert difference(bare, dataclasses.replace(bare, config={"A": "1"})).config.changed == ("A",)


tables = st.dictionaries(st.sampled_from("ABCDEF"), st.integers(0, 2), max_size=6)


@given(tables, tables)
def test_names_tell_exactly_what_differs(old, new):
    found = names(old, new)
    told = {*found.added, *found.changed, *found.removed}
    assert told == {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    assert bool(found) == (old != new)
    back = names(new, old)
    assert (found.added, found.changed, found.removed) == (back.removed, back.changed, back.added)

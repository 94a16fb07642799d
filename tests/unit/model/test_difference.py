"""What differs between two releases: complete, symmetric, and without config values."""

import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib.model.difference import difference, names
from minipaas_lib.model.release import Release

OLD = Release(
    "blog", 1, "sha256:" + "a" * 64, commit="c" * 40, builder="dockerfile", commands={"web": "", "clock": "tick"},
    config={"A": "secret-1", "B": "secret-2"}, formation={"web": 1, "clock": 0}, port=5000,
    options={"web": {"memory": 1024, "mounts": [["/a", "/b", "rw"]]}},
    routing={"domains": ["a.test", "b.test"], "settings": {"body": "secret-3"}},
)  # fmt: skip


def test_nothing_differs():
    found = difference(OLD, dataclasses.replace(OLD, number=7, reason="restart", processes=7))
    assert not found and found.lines() == []


def test_everything_differs():
    new = Release(
        "blog", 2, "sha256:" + "b" * 64, commit="d" * 40, builder="other", commands={"web": "serve", "worker": "work"},
        config={"B": "secret-4", "C": "secret-5"}, formation={"web": 3, "worker": 1}, port=5000, tasks={"release": "migrate"},
        options={"web": {"memory": 2048}}, routing={"domains": ["b.test", "c.test"], "settings": {"body": "secret-6"},
                                                    "listeners": [["http", 8080, 5000]]},
    )  # fmt: skip
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


tables = st.dictionaries(st.sampled_from("ABCDEF"), st.integers(0, 2), max_size=6)


@given(tables, tables)
def test_names_tell_exactly_what_differs(old, new):
    found = names(old, new)
    told = {*found.added, *found.changed, *found.removed}
    assert told == {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    assert bool(found) == (old != new)
    back = names(new, old)
    assert (found.added, found.changed, found.removed) == (back.removed, back.changed, back.added)

"""A store beside a dictionary: whatever is done to both, they say the same."""

import contextlib

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from minipaas_lib import errors
from minipaas_lib.store.contract import ABSENT
from tests.sampling import ALL

PATHS = st.sampled_from(
    [
        "live",
        "apps/a/app.toml",
        "apps/a/releases/1.toml",
        "apps/a/releases/2.toml",
        "apps/ab/live",
        "users/x+y@z:1.toml",
    ]
)
PREFIXES = st.sampled_from(["apps", "apps/a", "apps/a/releases", "apps/ab", "users", "none", "live"])
TEXTS = st.sampled_from(["", "a = 1\n", "ü\0\r\n", "#~ 0123456789abcdef", "%26&=+"]) | st.text(
    st.characters(codec="utf-8"), max_size=20
)


class Beside(RuleBasedStateMachine):
    """What is done to `store` is done to `model`: path -> text; `revisions` are those the store gave."""

    opener = None

    def __init__(self) -> None:
        super().__init__()
        self.store, self.other = self.opener(), self.opener()
        for top in self.store.children(""):
            self.store.delete_tree(top)
        with contextlib.suppress(errors.NotFound):
            self.store.delete("live")
        self.model: dict[str, str] = {}
        self.revisions: dict[str, str] = {}

    @rule(path=PATHS, text=TEXTS)
    def write(self, path, text):
        self.revisions[path] = self.store.write(path, text)
        self.model[path] = text

    @rule(path=PATHS, text=TEXTS)
    def create(self, path, text):
        try:
            self.revisions[path] = self.store.write(path, text, ABSENT)
        except errors.Conflict:
            assert path in self.model
        else:
            assert path not in self.model
            self.model[path] = text

    @rule(path=PATHS, text=TEXTS, stale=st.booleans())
    def swap(self, path, text, stale):
        present, revision = self.model.get(path), self.revisions.get(path, "7")
        if stale and present is not None:
            self.other.write(path, present + "x")
            self.model[path] = present + "x"
        try:
            self.revisions[path] = self.store.write(path, text, revision)
        except errors.Conflict:
            assert stale or present is None
        else:
            assert present is not None and not stale
            self.model[path] = text
        if path in self.model:
            self.revisions[path] = self.store.read(path).revision

    @rule(path=PATHS)
    def delete(self, path):
        try:
            self.store.delete(path)
        except errors.NotFound:
            assert path not in self.model
        else:
            del self.model[path]

    @rule(prefix=PREFIXES)
    def delete_tree(self, prefix):
        self.store.delete_tree(prefix)
        self.model = {path: text for path, text in self.model.items() if not path.startswith(prefix + "/")}

    @invariant()
    def they_say_the_same(self):
        assert {path: found.text for path, found in self.other.read_all().documents.items()} == self.model
        assert self.other.list() == sorted(self.model)
        assert self.other.children("") == sorted({path.split("/")[0] for path in self.model})
        below = [path.removeprefix("apps/").split("/")[0] for path in self.model if path.startswith("apps/")]
        assert self.other.children("apps") == sorted(set(below))
        for path in self.model:
            assert self.other.read(path).revision == self.revisions[path]


def test_it_says_what_a_dictionary_says(opener):
    machine = type("Machine", (Beside,), {"opener": staticmethod(opener)})
    examples = 200 if ALL else 25
    limits = settings(
        max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=limits)

import os
import tomllib

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.store import documents
from minipaas_lib.store.contract import ABSENT
from minipaas_lib.store.directory import DirectoryStore

APP = "apps/blog/app.toml"

within_a_test = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
leaves = texts | st.booleans() | numbers | finite | st.dates() | st.datetimes()
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
tables = st.dictionaries(texts, values, max_size=5)


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(str(tmp_path / "state"), str(tmp_path / "locks"))


@within_a_test
@given(tables)
def test_any_data_comes_back(store, data):
    documents.write(store, APP, data)
    assert documents.read(store, APP) == data


@pytest.mark.parametrize(
    "text",
    [
        "\x01",
        "\x7f",
        "\x85",
        "\r",
        "\r\n",
        "\n",
        "\t",
        "\\",
        '"',
        "'",
        '"""',
        "'''",
        "a#b",
        " ",
        "",
        "\\u0000",
        "$(y) `x`",
    ]
    + ["é", "e\u0301", "\u2028", "\ufeff", "\uffff", "\U0001f600", "\U0010ffff", "".join(map(chr, range(1, 300)))],
)
def test_awkward_strings_come_back(store, text):
    data = {"a": text, "b": [text, {"c": text}], text: {text: {text: text}}, "t": [{text: text}, {"x": [text]}]}
    documents.write(store, APP, data)
    assert documents.read(store, APP) == data

    def change(document):
        document.setdefault("config", {}).update({text: text})

    documents.edit(store, "other.toml", change, create=True)
    assert documents.read(store, "other.toml") == {"config": {text: text}}


COMMENTED = """\
# my blog
domains = ["a.example", "b.example"]  # two

[config]
# the password
PASSWORD = 'x y'  # secret
PORT = "80"

[formation.web]
count = 2   # enough

[[mounts]]
from = "a"  # first
[[mounts]]
from = "b"
"""


def test_comments_and_layout_survive(store):
    store.write(APP, COMMENTED)

    def change(document):
        document["config"]["NEW"] = "line\nline"
        del document["config"]["PORT"]
        document["formation"]["web"]["count"] = 3
        document["formation"]["worker"] = {"count": 1}
        document["checks"] = {"wait": 5}

    data = documents.edit(store, APP, change)
    text = store.read(APP).text
    assert data == documents.read(store, APP) == tomllib.loads(text)
    assert data["config"] == {"PASSWORD": "x y", "NEW": "line\nline"}
    assert data["formation"] == {"web": {"count": 3}, "worker": {"count": 1}}
    assert "# my blog\n" in text
    assert "# two\n" in text
    assert "# the password\nPASSWORD = 'x y'  # secret\n" in text
    assert "count = 3   # enough\n" in text
    assert "# first" in text


operations = st.lists(
    st.tuples(
        st.sampled_from([(), ("config",), ("formation",), ("formation", "web"), ("new",), ("new", "er")]),
        texts | st.sampled_from(["PASSWORD", "PORT", "web", "count", "config", "domains", "mounts"]),
        st.none() | values,
    ),
    max_size=6,
)


def apply(document, steps):
    for folders, key, value in steps:
        table = document
        for folder in folders:
            if not isinstance(table.get(folder), dict):
                table[folder] = {}
            table = table[folder]
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value


@within_a_test
@given(operations)
def test_an_edit_does_what_the_same_edit_of_a_dict_does(store, steps):
    store.write(APP, COMMENTED)
    expected = tomllib.loads(COMMENTED)
    apply(expected, steps)
    assert documents.edit(store, APP, lambda document: apply(document, steps)) == expected
    assert documents.read(store, APP) == expected


def test_an_edit_that_changes_nothing_writes_nothing(store, monkeypatch):
    store.write(APP, COMMENTED)
    monkeypatch.setattr(store, "write", None)
    assert documents.edit(store, APP, lambda document: None) == tomllib.loads(COMMENTED)


def test_an_edit_creates_only_when_asked(store):
    with pytest.raises(errors.NotFound):
        documents.edit(store, APP, lambda document: document.update(a=1))
    assert documents.edit(store, APP, lambda document: document.update(a=1), create=True) == {"a": 1}
    assert documents.edit(store, "empty.toml", lambda document: None, create=True) == {}
    assert store.exists("empty.toml")


def test_an_edit_is_repeated_on_what_another_wrote_meanwhile(store):
    store.write(APP, "a = 1\n")
    seen = []

    def change(document):
        seen.append(document["a"])
        if len(seen) == 1:
            store.write(APP, "a = 2\n")
        document["b"] = document["a"]

    assert documents.edit(store, APP, change) == {"a": 2, "b": 2}
    assert seen == [1, 2]


def test_an_edit_gives_up_in_the_end(store, monkeypatch):
    store.write(APP, "")
    monkeypatch.setattr(documents, "_EDIT_LIMIT", 3)
    tries = []

    def change(document):
        tries.append(1)
        store.write(APP, f"n = {len(tries)}\n")
        document["x"] = 1

    with pytest.raises(errors.Conflict):
        documents.edit(store, APP, change)
    assert len(tries) == 3


def test_an_error_in_an_edit_writes_nothing(store):
    store.write(APP, "a = 1\n")

    def change(document):
        document["a"] = 2
        raise errors.UsageError("no")

    with pytest.raises(errors.UsageError):
        documents.edit(store, APP, change)
    assert store.read(APP).text == "a = 1\n"


def test_compare_and_swap_of_a_whole_document(store):
    revision = documents.write(store, APP, {"a": 1}, if_revision=ABSENT)
    with pytest.raises(errors.Conflict):
        documents.write(store, APP, {"a": 2}, if_revision=ABSENT)
    assert documents.write(store, APP, {"a": 2}, if_revision=revision) == store.read(APP).revision


@pytest.mark.parametrize(
    "data, words",
    [
        ({"config": {"KEY": None}}, "config.KEY has no value (None)"),
        ({"a": [1, None]}, "a[1] has no value"),
        ({"a": "x\0"}, "a contains a NUL character"),
        ({"a": {"k\0": 1}}, "a contains a NUL character"),
        ({"a": "\udcff"}, "a is not valid UTF-8"),
        ({"a\x1b\udcff": 1}, "a name is not valid UTF-8"),
        ({"a": float("nan")}, "not a finite number"),
        ({"a": float("-inf")}, "not a finite number"),
        ({"a": 2**63}, "too large"),
        ({"a": b"x"}, "has a type that TOML does not have (bytes)"),
        ({"a": {1}}, "has a type that TOML does not have (set)"),
        ({1: 1}, "the name 1 is not a string"),
    ],
)
def test_what_toml_cannot_hold_is_refused(store, data, words):
    store.write(APP, "a = 1\n")
    with pytest.raises(errors.UsageError) as caught:
        documents.write(store, APP, data)
    assert words in caught.value.message
    assert caught.value.message.startswith(APP)
    with pytest.raises((errors.UsageError, TypeError)):
        documents.edit(store, APP, lambda document: document.update(data))
    assert store.read(APP).text == "a = 1\n"


def test_an_edit_with_none_is_a_clear_error(store):
    with pytest.raises(errors.UsageError) as caught:
        documents.edit(store, APP, lambda document: document.update(a=None), create=True)
    assert APP in caught.value.message
    assert not store.exists(APP)


@pytest.mark.parametrize(
    "text, line",
    [
        ("a = 1\nb = \n", 2),
        ('a = "x\n', 1),
        ("a = 1\na = 2\n", 2),
        ("[a\n", 1),
        ("# x\n\na = '''\nend", 4),
        ("a = 1\n<<<<<<< HEAD\n", 2),
        ("a = " + "9" * 5000, 1),
        ("a = " + "[" * 5000, 1),
        ("a = 2026-02-31\n", 1),
        ("a = '\x01'\n", 1),
    ],
)
def test_a_broken_document_is_named_with_its_line(store, text, line):
    store.write(APP, text)
    for call in (lambda: documents.read(store, APP), lambda: documents.edit(store, APP, lambda document: None)):
        with pytest.raises(errors.BadConfig) as caught:
            call()
        assert caught.value.message.startswith(f"{APP} cannot be read, line {line}: ")
        assert caught.value.message.isprintable()
        assert caught.value.hint == f"as root: editor +{line} {store.location(APP)}"
        assert os.path.exists(store.location(APP))
    assert store.read(APP).text == text


@within_a_test
@given(st.text(alphabet="ab=[]{}\"'\\#.,\n 01-:T_exu\t") | st.text())
def test_any_text_is_read_or_refused_with_a_sentence(store, text):
    try:
        store.write(APP, text)
    except errors.UsageError:
        return
    try:
        data = documents.read(store, APP)
    except errors.BadConfig as error:
        assert error.message.isprintable()
        return
    try:
        assert documents.edit(store, APP, lambda document: document.update(zz="1")) == {**data, "zz": "1"}
    except (errors.UsageError, errors.BadConfig):
        assert store.read(APP).text == text


def test_layout_beyond_tomlkit_keeps_the_data(store, monkeypatch):
    store.write(APP, "a = 1  # one\n")
    real = tomlkit.dumps
    monkeypatch.setattr(tomlkit, "dumps", lambda data: "broken" if hasattr(data, "as_string") else real(data))
    assert documents.edit(store, APP, lambda document: document.update(b=2)) == {"a": 1, "b": 2}
    assert documents.read(store, APP) == {"a": 1, "b": 2}

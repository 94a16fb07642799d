"""Writing TOML in one pass."""

import time
import tomllib

from hypothesis import given

from minipaas_lib.store import documents, merge, toml
from tests.unit.store.test_documents import store, tables  # noqa: F401 - a fixture


@given(tables)
def test_what_is_written_is_read_again(data):
    assert merge.same(tomllib.loads(toml.dumps(data)), data)


def test_a_document_looks_as_a_person_writes_it():
    data = {
        "a": 1,
        "config": {"B C": "x\ny", "empty": {}},
        "deep": {"er": {"x": [1, 2.5, True]}},
        "mounts": [{"from": "a"}, {"from": "b", "to": {"x": 1}}],
    }
    assert toml.dumps(data) == (
        "a = 1\n\n"
        "[[mounts]]\n"
        'from = "a"\n\n'
        "[[mounts]]\n"
        'from = "b"\n'
        "to = {x = 1}\n\n"
        "[config]\n"
        '"B C" = "x\\ny"\n\n'
        "[config.empty]\n\n"
        "[deep.er]\nx = [1, 2.5, true]\n"
    )
    assert toml.dumps({}) == "" and toml.dumps({"a": {}}) == "[a]\n"


def test_true_is_not_one_and_one_is_not_a_fraction():
    assert not merge.same(1, True) and not merge.same({"a": [1]}, {"a": [1.0]}) and merge.same({"a": [1]}, {"a": [1]})


def test_a_thousand_variables_and_five_thousand_names_take_no_time(store):  # noqa: F811
    store.write("apps/blog/app.toml", "# mine\n[config]\nA = 'x'  # first\n")
    began = time.monotonic()

    def change(document):
        document["config"].update({f"V{number}": "x" for number in range(1000)})
        document["domains"] = {"names": [f"d{number}.example.org" for number in range(5000)]}

    documents.edit(store, "apps/blog/app.toml", change)
    assert time.monotonic() - began < 30  # it was minutes
    assert (
        "# mine\n" in store.read("apps/blog/app.toml").text
        and "A = 'x'  # first" in store.read("apps/blog/app.toml").text
    )

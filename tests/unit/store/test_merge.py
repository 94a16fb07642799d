"""Carrying a change over to a document that others may have changed."""

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib.store.merge import apply_difference

values = st.recursive(
    st.integers(0, 3) | st.text(max_size=2), lambda inner: st.dictionaries(st.sampled_from("abc"), inner), max_leaves=6
)
documents = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)


@given(documents, documents)
def test_nobody_else_changed_it(base, wanted):
    document = tomlkit.parse(tomlkit.dumps(base))
    apply_difference(document, base, wanted)
    assert document.unwrap() == wanted


@given(documents, documents)
def test_there_and_back(base, wanted):
    document = tomlkit.parse(tomlkit.dumps(base))
    apply_difference(document, base, wanted)
    apply_difference(document, wanted, base)
    assert document.unwrap() == base


@given(documents, documents)
def test_what_others_wrote_stays(base, wanted):
    document = tomlkit.parse(tomlkit.dumps(base))
    document["locked"] = "by another"
    apply_difference(document, base, wanted)
    assert document.unwrap() == wanted | {"locked": "by another"}

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api
from minipaas_lib.model import service

PROCESS = api.Process(
    "blog_v3.web.1",
    "blog",
    3,
    "web",
    1,
    id="ab12",
    address="192.0.2.7",
    port=5000,
    state="running",
    started="2026-11-21T04:00:00.1Z",
    adopted=True,
    node="node1",
    ports=((5000, 49153),),
)
PORTS = st.integers(1, 65535)


@given(
    st.sampled_from(["created", "running", "restarting", "exited"]),
    st.lists(st.tuples(PORTS, PORTS), max_size=4),
    st.ip_addresses(),
    st.integers(-255, 255),
)
def test_what_a_node_writes_is_read_back(state, ports, address, code):
    process = dataclasses.replace(PROCESS, state=state, ports=tuple(ports), address=str(address), exit_code=code)
    assert service.from_document(process.name, service.to_document(process)) == process
    assert service.path(process) == "services/blog/blog_v3.web.1"


def test_a_node_of_an_earlier_version_says_nothing_of_restarts():
    told = {
        key: value for key, value in service.to_document(PROCESS).items() if key not in ("created", "restarts", "ended")
    }
    assert service.from_document(PROCESS.name, told) == PROCESS


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("address", "evil; }"),
        ("address", "192.0.2"),
        ("ports", [[5000, 0]]),
        ("ports", [[5000]]),
        ("ports", 7),
        ("port", "80"),
        ("state", "running\n"),
        ("node", "a b"),
        ("id", "../x"),
        ("exit_code", True),
        ("started", "now; x"),
        ("created", "now; x"),
        ("ended", 3),
        ("restarts", "3"),
        ("restarts", True),
    ],
)
def test_a_bad_value_is_refused(key, value):
    with pytest.raises(api.errors.InvalidFile, match="blog_v3.web.1"):
        service.from_document(PROCESS.name, service.to_document(PROCESS) | {key: value})


@pytest.mark.parametrize(
    "name", ["blog", "blog_v0.web.1", "blog_v3.web.1\n", "blog_v3.web", "Blog_v3.web.1", "../blog_v3.web.1"]
)
def test_a_bad_name_is_refused(name):
    with pytest.raises(api.errors.InvalidFile):
        service.from_document(name, service.to_document(PROCESS))


@given(
    st.dictionaries(
        st.sampled_from(list(service.to_document(PROCESS))),
        st.none() | st.text() | st.integers() | st.lists(st.text()),
        max_size=4,
    )
)
def test_nothing_else_is_raised(changes):
    try:
        process = service.from_document(PROCESS.name, service.to_document(PROCESS) | changes)
    except api.errors.InvalidFile:
        return
    assert service.from_document(PROCESS.name, service.to_document(process)) == process

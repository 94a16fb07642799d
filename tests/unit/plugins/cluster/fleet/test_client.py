import json
import socket
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.cluster.fleet import client, connection
from plugins.cluster.fleet.client import Fleet, Machine, State, Unit
from plugins.cluster.fleet.unit_file import Option

SLEEP = [Option("Service", "ExecStart", "/bin/sleep infinity")]
MACHINE = "11c9f81a9ac28596c453ab34160117d6"
LOST = (500, {"error": {"code": 500, "message": ""}})
GONE = (503, {"error": {"code": 503, "message": "fleet server unable to communicate with etcd"}})


def listed(name, **more):
    options = [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep infinity"}]
    return {"name": name, "desiredState": "launched", "currentState": "inactive", "options": options, **more}


def error(status, message):
    return status, {"error": {"code": status, "message": message}}


def test_empty_collections_are_empty_objects(daemon):
    fleet = Fleet(daemon().endpoint)
    assert (fleet.machines(), fleet.units(), fleet.states()) == ([], [], [])


def test_what_is_read(daemon):
    state = {
        "name": "a.service",
        "machineID": MACHINE,
        "hash": "d7",
        "systemdActiveState": "active",
        "systemdLoadState": "loaded",
        "systemdSubState": "running",
    }
    fleet = daemon(
        (200, {"machines": [{"id": MACHINE, "primaryIP": "10.0.0.1", "metadata": {"disk": "ssd"}}, {"id": "0" * 32}]}),
        (200, {"units": [listed("b.service", machineID=MACHINE), listed("a.service")]}),
        (200, {"states": [state]}),
    )
    asked = Fleet(fleet.endpoint)
    assert asked.machines() == [Machine("0" * 32, "", {}), Machine(MACHINE, "10.0.0.1", {"disk": "ssd"})]
    assert asked.units() == [
        Unit("a.service", "launched", "inactive", "", tuple(SLEEP)),
        Unit("b.service", "launched", "inactive", MACHINE, tuple(SLEEP)),
    ]
    assert asked.states() == [State("a.service", MACHINE, "loaded", "active", "running", "d7")]


def test_pages_are_followed_with_their_filters_and_the_last_may_be_empty(daemon):
    entry = {"name": "a.service", "machineID": MACHINE}
    fleet = daemon((200, {"states": [entry] * 100, "nextPageToken": "ZAACAA=="}), (200, {}))
    assert len(Fleet(fleet.endpoint).states(machine=MACHINE, unit="a.service")) == 100
    assert [path for _, path, _, _ in fleet.requests] == [
        f"/fleet/v1/state?machineID={MACHINE}&unitName=a.service",
        f"/fleet/v1/state?machineID={MACHINE}&unitName=a.service&nextPageToken=ZAACAA%3D%3D",
    ]


def test_pages_in_a_circle_end(daemon, monkeypatch):
    monkeypatch.setattr(client, "PAGES", 3)
    fleet = daemon(*[(200, {"nextPageToken": "x"})] * 9)
    with pytest.raises(errors.Unavailable, match="does not speak"):
        Fleet(fleet.endpoint).units()
    assert len(fleet.requests) == 3


def test_a_unit_is_submitted_whole(daemon):
    fleet = daemon((201, None), (204, None))
    assert Fleet(fleet.endpoint).submit("a.service", SLEEP) is True
    assert Fleet(fleet.endpoint).submit("a.service", SLEEP, client.INACTIVE) is False
    options = [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep infinity"}]
    sent = {"name": "a.service", "desiredState": "launched", "options": options}
    assert fleet.requests[0][:3] == ("PUT", "/fleet/v1/units/a.service", sent)
    assert fleet.requests[1][2] == sent | {"desiredState": "inactive"}


@pytest.mark.parametrize(
    "call",
    [
        lambda fleet: fleet.submit("a.service", SLEEP, "running"),
        lambda fleet: fleet.submit("a.service", SLEEP, "launched\n"),
        lambda fleet: fleet.submit("t@.service", SLEEP),
        lambda fleet: fleet.submit("a b.service", SLEEP),
        lambda fleet: fleet.submit("a/../b.service", SLEEP),
        lambda fleet: fleet.submit("a.service", []),
        lambda fleet: fleet.submit("a.service", [Option("Service", "ExecStart", "/bin/true\nUser=root")]),
        lambda fleet: fleet.submit("a.service", [Option("Service", "ExecStart", "x" * 2048)]),
        lambda fleet: fleet.unit("../machines"),
        lambda fleet: fleet.destroy(""),
        lambda fleet: fleet.states(unit="x"),
        lambda fleet: fleet.set_metadata("x", {"a": "b"}),
        lambda fleet: fleet.set_metadata(MACHINE, {"a/b": "c"}),
        lambda fleet: fleet.set_metadata(MACHINE, {"a": ""}),
    ],
)
def test_what_fleet_would_take_wrongly_is_never_sent(daemon, call):
    fleet = daemon()
    with pytest.raises(errors.UsageError):
        call(Fleet(fleet.endpoint))
    assert fleet.requests == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(desired=st.text(max_size=12))
def test_no_state_but_the_three_is_sent(daemon, desired):
    fleet = daemon((204, None))
    try:
        Fleet(fleet.endpoint).submit("a.service", SLEEP, desired)
        assert desired in client.STATES
    except errors.UsageError:
        assert fleet.requests == [] and desired not in client.STATES


def test_a_template_may_be_kept(daemon):
    assert Fleet(daemon((201, None)).endpoint).submit("t@.service", SLEEP, client.INACTIVE)


def test_unknown_units(daemon):
    unknown = error(404, "unit does not exist")
    fleet = Fleet(daemon(unknown, unknown).endpoint)
    assert fleet.unit("a.service") is None
    assert fleet.destroy("a.service") is False


def test_a_global_unit_has_no_current_state_whichever_way_it_is_asked(daemon):
    options = [{"section": "X-Fleet", "name": "Global", "value": "true"}]
    alone, among = {"name": "g.service", "desiredState": "launched", "options": options}, {"currentState": "inactive"}
    fleet = Fleet(daemon((200, alone), (200, {"units": [alone | among]})).endpoint)
    assert fleet.unit("g.service") == fleet.units()[0]


def test_metadata_goes_in_one_request(daemon):
    fleet = daemon((204, None))
    Fleet(fleet.endpoint).set_metadata(MACHINE, {"disk": "ssd", "old": None})
    Fleet(fleet.endpoint).set_metadata(MACHINE, {})
    path = f"/{MACHINE}/metadata/"
    assert [request[:3] for request in fleet.requests] == [
        (
            "PATCH",
            "/fleet/v1/machines",
            [
                {"op": "add", "path": path + "disk", "value": {"value": "ssd"}},
                {"op": "remove", "path": path + "old"},
            ],
        ),
    ]


def test_a_refusal_has_fleets_words(daemon):
    refusal = error(400, 'unresolvable requirements:\npeer "a.service" matches conflict "a.*"')
    with pytest.raises(errors.DeployFailed, match='refuses the unit a.service: unresolvable requirements: peer "a'):
        Fleet(daemon(refusal).endpoint).submit("a.service", SLEEP)


def test_the_next_endpoint_answers_for_one_that_does_not(daemon, tmp_path):
    hangs_up, lost, fine = daemon(None), daemon(GONE), daemon()
    fleet = Fleet([f"unix://{tmp_path}/none", hangs_up.endpoint, lost.endpoint, fine.endpoint])
    assert fleet.machines() == []
    assert fleet.endpoints[0] == fine.endpoint  # it is asked first from now on
    fleet.units()
    assert len(hangs_up.requests) == len(lost.requests) == 1 and len(fine.requests) == 2


def test_a_frozen_node_is_not_waited_for_while_another_can_answer(daemon, tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "IMPATIENT", 0.1)
    fine = daemon()
    with socket.socket(socket.AF_UNIX) as frozen:  # it is connected to, and says nothing
        frozen.bind(str(tmp_path / "frozen"))
        frozen.listen()
        began = time.monotonic()
        assert Fleet([f"unix://{tmp_path}/frozen", fine.endpoint]).machines() == []
    assert time.monotonic() - began < 5


def test_nobody_answers(daemon, tmp_path):
    with pytest.raises(errors.Unavailable) as raised:
        Fleet([f"unix://{tmp_path}/none", daemon(None).endpoint]).machines()
    assert "its socket is not there; unix://" in raised.value.message and "without an answer" in raised.value.message


@pytest.mark.parametrize("answer", [LOST, GONE])
def test_fleet_without_etcd_is_said_in_words(daemon, answer):
    with pytest.raises(errors.Unavailable, match="fleet cannot reach etcd, so nothing can be changed"):
        Fleet(daemon(answer, answer).endpoint).submit("a.service", SLEEP)


def test_a_unit_that_somebody_poisoned_is_told_from_a_lost_etcd(daemon):
    with pytest.raises(errors.Unavailable, match="cannot read the unit a.service") as raised:
        Fleet(daemon(LOST, (200, {})).endpoint).unit("a.service")
    assert raised.value.hint == "etcdctl set /_coreos.com/fleet/job/a.service/target-state inactive"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["machines", "units", "states", "options", "name", "metadata", "id"]), inner)
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(answer=values)
def test_any_answer_is_understood_or_one_of_our_errors(answer, monkeypatch):
    monkeypatch.setattr(connection, "exchange", lambda *asked: (200, json.dumps(answer).encode()))
    fleet = Fleet("http://a:1")
    for call in (
        fleet.machines,
        fleet.units,
        fleet.states,
        lambda: fleet.unit("a.service"),
        lambda: fleet.destroy("a.service"),
    ):
        try:
            call()
        except errors.MinipaasError as error:
            assert "fleet" in error.message


@pytest.mark.parametrize("raw", [b"<html>", b"[1]", b"[" * 100000, b"\xff", b'"x"'])
def test_what_is_not_fleet(monkeypatch, raw):
    monkeypatch.setattr(connection, "exchange", lambda *asked: (200, raw))
    with pytest.raises(errors.Unavailable, match="does not speak fleet's API"):
        Fleet("http://a:1").units()

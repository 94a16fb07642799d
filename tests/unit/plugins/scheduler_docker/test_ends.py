"""How a container ended last, from docker's state or its events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.scheduler_docker import ends


def event(action, code=""):
    return {"Action": action, "Actor": {"Attributes": {"exitCode": code} if code else {}}}


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([], (None, False)),
        ([event("die", "1")], (1, False)),
        ([event("oom"), event("die", "137")], (137, True)),
        ([event("oom"), event("die", "137"), event("die", "3")], (3, False)),
        ([event("die", "3"), event("oom"), event("oom"), event("die", "137")], (137, True)),
        ([event("die", "3"), event("oom")], (3, False)),
        ([event("die")], (None, False)),
    ],
)
def test_events(events, end):
    assert ends.of_events(events) == end


@given(
    st.lists(st.builds(event, st.sampled_from(["die", "oom"]), st.sampled_from(["", "0", "1", "137", "x", "\u00b2"])))
)
def test_any_events(events):
    code, memory = ends.of_events(events)
    assert code is None or code >= 0
    assert not memory or any(one["Action"] == "oom" for one in events)


class Daemon:
    def __init__(self, *events):
        self.told, self.asked = list(events), []

    def connect(self):
        return self

    def events(self, **arguments):
        self.asked.append(arguments)
        return iter(self.told)


def answer(status, code=0, oom=False, started="2026-01-01T00:00:00Z", finished="0001-01-01T00:00:00Z"):
    state = {"Status": status, "ExitCode": code, "OOMKilled": oom, "StartedAt": started, "FinishedAt": finished}
    return {"Id": "f00", "State": state}


def test_last():
    daemon = Daemon(event("die", "4"))
    assert ends.last(daemon, answer("exited", 3, True)) == ends.last(daemon, answer("restarting", 3, True)) == (3, True)
    assert ends.last(daemon, answer("running")) == (None, False) and not daemon.asked, "it has never ended"
    assert ends.last(daemon, answer("created", started="0001-01-01T00:00:00Z")) == (None, False)
    assert ends.last(daemon, answer("running", finished="1970-01-01T00:02:00.9Z")) == (4, False)
    assert daemon.asked[0]["since"] == 60 and daemon.asked[0]["filters"]["container"] == "f00"

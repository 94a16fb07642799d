import dataclasses
import socket

import pytest

from minipaas_lib import api
from plugins.cluster.fleet import client, handover, units

HERE, THERE = "a" * 32, "b" * 32
UNIT = client.Unit("blog_v1.web.1.service", client.LAUNCHED, client.LAUNCHED, THERE, ())
TOLD = api.Process("blog_v1.web.1", "blog", 1, "web", 1, state="running", node=THERE)


class World:
    """What fleet and the agents say, look by look; the last goes on for ever. Time passes in sleep alone."""

    def __init__(self, *says):
        self.says, self.now = list(says), 100.0

    def look(self):
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return said

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def wait(self, accepts=lambda process: True):
        found = handover.wait(self.look, HERE, accepts, self.clock, self.sleep)
        return found, self.now - 100.0


@pytest.mark.parametrize(
    "unit",
    [None, UNIT._replace(desired=client.INACTIVE), UNIT._replace(desired=client.LOADED), UNIT._replace(machine=HERE)],
    ids=["destroyed", "stopped", "unloaded", "belongs here"],
)
def test_who_is_not_moved_is_stopped_at_once(unit):
    assert World((unit, TOLD)).wait() == (False, 0.0)


def test_who_is_moved_stays_until_it_runs_elsewhere_and_routers_have_heard_of_it():
    chosen = UNIT._replace(machine="")
    world = World(
        (chosen, dataclasses.replace(TOLD, node=HERE)),
        (UNIT, dataclasses.replace(TOLD, node=HERE)),
        (UNIT, None),
        (UNIT, dataclasses.replace(TOLD, state="created")),
        (UNIT, TOLD),
    )
    assert world.wait() == (True, 4 * handover.PAUSE + handover.SETTLE)


def test_it_has_to_accept_connections_there():
    answers = [False, False, True]
    assert World((UNIT, TOLD)).wait(lambda process: answers.pop(0)) == (True, 2 * handover.PAUSE + handover.SETTLE)


def test_who_does_not_come_up_elsewhere_ends_all_the_same():
    found, after = World((UNIT, None)).wait()
    assert not found and units.HAND_OVER <= after <= units.HAND_OVER + handover.PAUSE


def test_who_comes_back_is_not_waited_for():
    assert World((UNIT, None), (UNIT._replace(machine=HERE), None)).wait() == (False, handover.PAUSE)


def test_where_nobody_can_be_asked_there_is_no_waiting():
    with pytest.raises(api.errors.Unavailable):
        World(api.errors.Unavailable("etcd")).wait()


def test_a_silence_later_on_is_waited_for():
    silent = api.errors.Unavailable("etcd")
    assert World((UNIT, None), silent, silent, (UNIT, TOLD)).wait() == (True, 3 * handover.PAUSE + handover.SETTLE)


def test_a_process_accepts_where_one_of_its_ports_does():
    with socket.create_server(("127.0.0.1", 0)) as there, socket.create_server(("127.0.0.1", 0)) as gone:
        closed, open_ = gone.getsockname()[1], there.getsockname()[1]
        gone.close()
        at = dataclasses.replace(TOLD, address="127.0.0.1")
        assert handover.accepts(dataclasses.replace(at, ports=((5000, closed), (5001, open_))))
        assert not handover.accepts(dataclasses.replace(at, ports=((5000, closed),)))
    assert handover.accepts(at), "a worker has no port"

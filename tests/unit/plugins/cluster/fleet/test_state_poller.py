import threading

import pytest

from minipaas_lib import errors
from plugins.cluster.fleet.client import State
from plugins.cluster.fleet.state_poller import Poller


def state(name, active="active", machine="m1"):
    return State(name, machine, "loaded", active, "running", "0")


class Time:
    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds


class Fleet:
    """Says next what is first in `answers`, then the last of them again and again."""

    def __init__(self, *answers):
        self.answers, self.reads = list(answers), 0

    def states(self):
        self.reads += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def time():
    return Time()


def poller(fleet, time):
    return Poller(fleet.states, clock=lambda: time.now, sleep=time.sleep)


def test_one_read_serves_all_who_look_within_the_interval(time):
    fleet = Fleet([state("a"), state("b"), state("b", machine="m2")])
    polled = poller(fleet, time)
    for _ in range(100):
        view = polled.look()
    assert fleet.reads == 1 and [s.machine for s in view.of("b")] == ["m1", "m2"] and view.of("c") == []
    time.now = 1.0
    polled.look()
    assert fleet.reads == 2


def test_who_has_just_changed_something_gets_what_was_asked_for_later(time):
    fleet = Fleet([])
    polled = poller(fleet, time)
    polled.look()
    time.now = 0.5
    assert polled.look(since=0.4).taken == 0.5 and fleet.reads == 2


def test_waiting_for_many_reads_once_per_interval(time):
    names = [f"u{number}" for number in range(100)]
    starting = [state(name, "activating") for name in names]
    fleet = Fleet(starting, starting, [state(name) for name in names])
    polled = poller(fleet, time)
    for name in names:
        polled.wait(lambda view, name=name: any(s.active == "active" for s in view.of(name)), 30, name)
    assert fleet.reads == 3 and time.now == 2.0


def test_waiting_ends(time):
    with pytest.raises(errors.DeployFailed, match="waited 5 seconds for blog_v3.web.1 to start"):
        poller(Fleet([]), time).wait(lambda view: None, 5, "blog_v3.web.1 to start")
    assert time.now == 5.0


def test_a_fleet_that_is_away_for_a_while_is_waited_for(time):
    away = errors.Unavailable("fleet does not answer")
    fleet = Fleet(away, away, [state("a")])
    assert poller(fleet, time).wait(lambda view: view.of("a"), 30, "a")
    with pytest.raises(errors.Unavailable):
        poller(Fleet(away), time).wait(lambda view: True, 3, "a")
    with pytest.raises(errors.Unavailable):
        poller(Fleet(away, [state("a")]), time).wait(lambda view: view.of("a"), 30, "a", patient=False)


def test_threads_share_a_read():
    inside, go = threading.Barrier(2), threading.Event()
    reads = []

    def read():
        reads.append(1)
        if len(reads) == 1:
            inside.wait(5)
            go.wait(5)
        return [state("a")]

    polled, views = Poller(read, interval=60), []
    threads = [threading.Thread(target=lambda: views.append(polled.look())) for _ in range(8)]
    for thread in threads:
        thread.start()
    inside.wait(5)
    go.set()
    for thread in threads:
        thread.join(5)
    assert len(views) == 8 and len(reads) == 1

import dataclasses

import pytest

from minipaas_lib import api
from plugins.cluster.node import container_gc
from tests.unit.model.test_service import PROCESS
from tests.unit.plugins.cluster.node.test_service_registry import Clock, Docker

STRAY = dataclasses.replace(PROCESS, name="blog_v2.web.1", release=2)


class Stopping(Docker):
    def stop(self, process, timeout=None):
        self.present.remove(process)


def test_only_what_nobody_wants_for_a_while_is_removed():
    clock, docker, wanted = Clock(), Stopping(PROCESS, STRAY), {PROCESS.name}
    collector = container_gc.Collector(docker, lambda: wanted, clock)
    assert collector.look() == []
    clock.now += container_gc.GRACE
    assert collector.look() == [STRAY.name] and docker.present == [PROCESS]


def test_what_is_wanted_again_is_left(capsys):
    clock, docker, wanted = Clock(), Stopping(STRAY), set()
    collector = container_gc.Collector(docker, lambda: wanted, clock)
    collector.look()
    wanted = {STRAY.name}
    clock.now += container_gc.GRACE / 2
    collector.look()
    wanted = set()
    clock.now += container_gc.GRACE / 2
    assert collector.look() == [] and docker.present == [STRAY]


def test_nothing_is_removed_while_the_cluster_does_not_say_what_it_wants():
    def away():
        raise api.errors.Unavailable("fleet does not answer")

    docker = Stopping(STRAY)
    collector = container_gc.Collector(docker, away, Clock())
    with pytest.raises(api.errors.Unavailable):
        collector.look()
    assert docker.present == [STRAY]

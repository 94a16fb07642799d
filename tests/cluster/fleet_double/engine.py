"""fleet's engine: one of the nodes, the leader, gives units to machines."""

import logging

from .etcd_keys import Lost, Missing, Refused
from .placement import SCHEDULE, Cluster
from .registry import Registry

log = logging.getLogger("engine")


class Engine:
    def __init__(self, registry: Registry, machine: str, interval: float) -> None:
        self.registry, self.machine = registry, machine
        self.lease_ttl = 5 * interval
        self._lease = 0  # the index of our lease; 0 while another leads

    def reconcile(self) -> None:
        """One pass, if this node leads or can take the lead."""
        try:
            if self._leads():
                self._pass()
        except Lost as error:
            log.info("no pass: %r", error)

    def resign(self) -> None:
        if self._lease:
            try:
                self.registry.resign(self._lease)
            except (Lost, Missing, Refused) as error:
                log.info("cannot resign: %r", error)

    def _leads(self) -> bool:
        try:
            if self._lease:
                self._lease = self.registry.lead(self.machine, self.lease_ttl, self._lease)
            elif self.registry.leader() is None:
                self._lease = self.registry.lead(self.machine, self.lease_ttl)
        except (Missing, Refused):
            self._lease = 0
        return bool(self._lease)

    def _pass(self) -> None:
        for action, name, machine in Cluster(self.registry.units(), self.registry.machines()).plan():
            try:
                if action == SCHEDULE:
                    self.registry.schedule(name, machine)
                else:
                    self.registry.unschedule(name, machine)
                log.info("%s %s at %s", action, name, machine)
            except (Missing, Refused) as error:
                log.info("%s %s at %s: %r", action, name, machine, error)

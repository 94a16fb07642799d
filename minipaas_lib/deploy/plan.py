"""Which processes a release starts, keeps and retires. Pure."""

import itertools
from dataclasses import dataclass

from minipaas_lib.deploy.compose import container_spec
from minipaas_lib.model.process import ContainerSpec, Process, process_name
from minipaas_lib.model.release import Release

ALIVE = ("running", "restarting")  # states of a process that needs no replacement


@dataclass(frozen=True)
class Plan:
    start: tuple[ContainerSpec, ...]
    keep: tuple[Process, ...]
    retire: tuple[Process, ...]


def make_plan(release: Release, present: list[Process], retiring: set[str]) -> Plan:
    """The plan that leads from the processes that are `present` to those of `release`.

    `present` holds all containers of the app, `retiring` the names of those that are draining. Their names stay taken
    even if the container is gone, as draining goes by name; a new process gets the lowest free index. Adopted
    processes are kept in preference to others, and dead ones are not kept.
    """
    start: list[ContainerSpec] = []
    keep: list[Process] = []
    counting = [process for process in present if process.name not in retiring]
    same = [process for process in counting if process.release == release.processes and process.state in ALIVE]
    for process_type, count in sorted(release.formation.items(), key=lambda item: (item[0] != "web", item[0])):
        candidates = sorted((p for p in same if p.process_type == process_type), key=lambda p: (not p.adopted, p.index))
        keep += candidates[:count]
        taken = {p.name for p in present} | retiring
        free = (
            i for i in itertools.count(1) if process_name(release.app, release.processes, process_type, i) not in taken
        )
        start += [container_spec(release, process_type, next(free)) for _ in range(count - len(candidates))]
    kept = {process.name for process in keep}
    return Plan(tuple(start), tuple(keep), tuple(p for p in counting if p.name not in kept))

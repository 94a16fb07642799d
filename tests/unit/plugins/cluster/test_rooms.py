"""The rooms of the cluster: imports go down only, and an engine's folder is known in one place."""

from pathlib import Path

import pytest

from minipaas_lib import api
from plugins.cluster.transport import protocol
from tests.unit import test_architecture as architecture

FEATURE = architecture.PLUGINS / "cluster"
FLOORS = {
    "names": 0,
    "engine": 0,
    "transport": 1,
    "routes": 2,
    "fleet": 2,
    "active_engine": 3,
    "node": 4,
    "head": 4,
    "commands": 5,
    "hooks": 5,
}
"""The rooms and the files beside them from the bottom up. Those on one floor do not import each other."""
ENGINES = {folder.parent.name for folder in FEATURE.glob("*/engine.py")}


def fault(module: str, imported: str) -> str:
    """Why a module of the feature may not import another of it, by their dotted names below it; empty if it may."""
    room, other = module.split(".")[0], imported.split(".")[0]
    if other in ENGINES - {room} and room != "active_engine":
        return f"{module} imports {imported}, and only active_engine may know an engine"
    if other != room and FLOORS[other] >= FLOORS[room]:
        return f"{module} imports {imported}, which is not below it"
    return ""


def below(path: Path) -> str:
    return architecture.dotted(path).removeprefix("plugins.cluster").removeprefix(".")


@pytest.mark.parametrize(
    "path",
    [path for path in architecture.modules(FEATURE) if path.name != "__init__.py"],
    ids=lambda path: str(path.relative_to(FEATURE)),
)
def test_imports_go_down_only_and_know_no_engine(path):
    for imported in architecture.imported_by(path):
        if imported.startswith("plugins.cluster."):
            assert not fault(below(path), imported.removeprefix("plugins.cluster."))


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("head.init", "fleet.machines"),
        ("commands", "fleet.units"),
        ("transport.tls", "routes.loops"),
        ("head.drain", "node.agent"),
        ("fleet.scheduler", "head.status"),
        ("engine", "names"),
    ],
)
def test_an_import_of_an_engine_or_upwards_is_seen(module, imported):
    assert fault(module, imported)


def test_an_engine_may_use_what_is_below_it():
    assert ENGINES == {"fleet"}
    assert not fault("fleet.nodes", "transport.tls") and not fault("active_engine", "fleet.engine")


def test_the_engines_of_the_kernel_are_widened_in_one_place():
    casts = {path.name for path in architecture.modules(FEATURE) if "cast(" in path.read_text()}
    assert casts == {"active_engine.py"}


def test_apps_are_kept_from_the_ports_of_heads_and_agents():
    assert {protocol.AGENT_PORT, protocol.HEAD_PORT} <= api.kernel.cluster.INNER_PORTS

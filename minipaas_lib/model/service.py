"""The documents in which nodes publish what runs on them: services/<app>/<process>. Pure: no I/O here.

Such a document has a time to live, so it vanishes some time after its node.
"""

import re

from minipaas_lib import errors, names
from minipaas_lib.model.process import Process

FOLDER = "services"
_NAME = (
    rf"(?P<app>{names.APP_NAME})_v(?P<release>[1-9][0-9]{{0,8}})"
    rf"\.(?P<process_type>{names.PROCESS_TYPE})\.(?P<index>[1-9][0-9]{{0,5}})"
)
_TIME = "[0-9TZ:.+-]{0,40}"
_STATES = ("created", "running", "paused", "restarting", "exited")


def path(process: Process) -> str:
    return f"{FOLDER}/{process.app}/{process.name}"


def to_document(process: Process) -> dict:
    """What a node publishes of a process."""
    return {
        "node": process.node,
        "id": process.id,
        "address": process.address,
        "port": process.port,
        "ports": [list(pair) for pair in process.ports],
        "state": process.state,
        "exit_code": process.exit_code,
        "started": process.started,
        "created": process.created,
        "restarts": process.restarts,
        "ended": process.ended,
    }


def from_document(name: str, entry: dict) -> Process:
    """The process of that name as its node published it. Raises errors.InvalidFile for what nodes do not write."""
    match = re.fullmatch(_NAME, name)
    if not match:
        raise errors.InvalidFile(f"{names.safe(name)} is not the name of a process")
    try:
        ports = tuple((_port(inside), _port(outside)) for inside, outside in entry["ports"])
        return Process(
            name=name,
            app=match["app"],
            release=int(match["release"]),
            process_type=match["process_type"],
            index=int(match["index"]),
            id=_text(entry["id"], "[0-9a-f]{0,64}"),
            address=_address(entry["address"]),
            port=_port(entry["port"], least=0),
            state=_text(entry["state"], "|".join(_STATES)),
            exit_code=_number(entry["exit_code"]),
            started=_text(entry["started"], _TIME),
            created=_text(entry.get("created", ""), _TIME),
            ended=_text(entry.get("ended", ""), _TIME),
            restarts=_number(entry.get("restarts", 0)),  # an agent of an earlier version says none of the three
            adopted=True,
            node=_text(entry["node"], r"[A-Za-z0-9._-]{1,128}"),
            ports=ports,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise errors.InvalidFile(f"{FOLDER}/{match['app']}/{name} is not what nodes write: {error}") from None


def _text(value: object, pattern: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError(f"{names.safe(str(value)[:80])} is not valid")
    return value


def _address(value: object) -> str:
    import ipaddress

    return str(ipaddress.ip_address(_text(value, "[0-9a-fA-F.:]{2,45}"))) if value else ""


def _number(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"{names.safe(str(value)[:80])} is not a number")
    return value


def _port(value: object, least: int = 1) -> int:
    port = _number(value)
    if not least <= port < 65536:
        raise ValueError(f"{port} is not a port")
    return port

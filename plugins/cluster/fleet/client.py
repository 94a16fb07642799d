"""fleet's HTTP API, as recorded from the last release (fleet/v1; github.com/coreos/fleet, Documentation/api-v1.md).

What the daemon does is not always what its documentation says, so every request is checked before it is sent: an
invalid desired state would poison the unit (no call can read, mend or remove it any more), a template started would
stop the agent it lands on, a state asked for by name makes the handler crash.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from minipaas_lib import api
from plugins.cluster.fleet import connection, unit_file

INACTIVE, LOADED, LAUNCHED = STATES = ("inactive", "loaded", "launched")
PREFIX = "/fleet/v1"
PAGES = 1000  # of 100 entries: far past what fleet can run, and an end to a daemon that pages in circles


class Machine(NamedTuple):
    """A node that fleet hears of."""

    id: str  # 32 hex digits, its /etc/machine-id
    address: str  # its primary IP address
    metadata: dict[str, str]


class Unit(NamedTuple):
    """A unit that was submitted. `current` is what fleet has carried out, not health: see State."""

    name: str
    desired: str  # one of STATES
    current: str  # one of STATES; "" for a global unit
    machine: str  # the id of the machine it is scheduled to; "" while there is none, and for a global unit
    options: tuple[unit_file.Option, ...]


class State(NamedTuple):
    """A unit as systemd on one machine has it. Lingers up to fleet's TTL (30 s) after a unit or a node is gone."""

    name: str
    machine: str
    load: str  # loaded, not-found, bad-setting, ...
    active: str  # active, activating, deactivating, inactive, failed
    sub: str  # running, dead, exited, start-pre, auto-restart, ...
    hash: str  # SHA-1 of the unit's text: unitfile.digest(unit.options)


class Fleet:
    """fleet's API at the first of `endpoints` that answers.

    Every method raises errors.Unavailable when none does, or when fleet has lost etcd; errors.DeployFailed when fleet
    refuses what was asked for. All are safe to call again.

    A change that ended in Unavailable may be carried out all the same, later: etcd without quorum keeps the write, and
    commits it when quorum is back. Say again then what is to be.
    """

    def __init__(self, endpoints: list[str] | str) -> None:
        self.endpoints = connection.endpoints(endpoints) if isinstance(endpoints, str) else list(endpoints)

    def machines(self) -> list[Machine]:
        """The machines that fleet hears of, sorted by id. One that died stays for up to fleet's TTL (30 s)."""
        machines = [_machine(entry) for entry in self._pages("/machines", "machines")]
        return sorted(machines, key=lambda machine: machine.id)

    def units(self) -> list[Unit]:
        """All units, sorted by name. One that somebody else has poisoned is not in it."""
        return sorted((_unit(entry) for entry in self._pages("/units", "units")), key=lambda unit: unit.name)

    def unit(self, name: str) -> Unit | None:
        """The unit, or None when there is none of that name. Raises errors.UsageError for a name no unit can have."""
        status, answer = self._ask("GET", f"/units/{unit_file.name(name)}")
        if status == 404:
            return None
        self._expect(status, answer, 200, name)
        return _unit(answer)

    def submit(self, name: str, options: list[unit_file.Option], desired: str = LAUNCHED) -> bool:
        """Have the unit with these options in that state; whether that made or replaced it.

        The same again changes nothing. Other options under a known name replace the unit in place, on its machine.
        Raises errors.UsageError for what fleet would refuse or, worse, would take wrongly.
        """
        unit_file.name(name)
        unit_file.check(options)
        self._check_state(name, desired)
        body = {
            "name": name,
            "desiredState": desired,
            "options": [{"section": o.section, "name": o.name, "value": o.value} for o in options],
        }
        status, answer = self._ask("PUT", f"/units/{name}", body)
        self._expect(status, answer, (201, 204), name)
        return status == 201

    def destroy(self, name: str) -> bool:
        """Have no unit of that name; whether there was one. Its container may take a few seconds more to stop."""
        status, answer = self._ask("DELETE", f"/units/{unit_file.name(name)}")
        self._expect(status, answer, (204, 404), name)
        return status == 204

    def states(self, machine: str = "", unit: str = "") -> list[State]:
        """What systemd has on all machines, or on one, or of one unit, sorted by unit and machine.

        fleet reads all states for each such call, whatever the filter: read all once, not one per process.
        """
        filters = [("machineID", machine)] if machine else []
        if unit:
            filters.append(("unitName", unit_file.name(unit)))
        states = [_state(entry) for entry in self._pages("/state", "states", filters)]
        return sorted(states, key=lambda state: (state.name, state.machine))

    def set_metadata(self, machine: str, changes: dict[str, str | None]) -> None:
        """Set metadata of a machine, or remove those that are None, in one request. It survives the machine's reboot.

        Raises errors.UsageError for a key or a value that no unit could ask for.
        """
        if not re.fullmatch("[0-9a-f]{32}", machine):
            raise api.errors.UsageError(f"{api.names.safe(machine)} is not the id of a machine", "cluster:status")
        operations = []
        for key, value in sorted(changes.items()):
            unit_file.metadata(key, "x" if value is None else value)
            path = f"/{machine}/metadata/{key}"
            # The value is nested one deeper than documented: the documented form gets 400.
            change = {"op": "remove"} if value is None else {"op": "add", "value": {"value": value}}
            operations.append(change | {"path": path})
        if operations:
            status, answer = self._ask("PATCH", "/machines", operations)
            self._expect(status, answer, 204, f"of machine {machine}")

    def _check_state(self, name: str, desired: str) -> None:
        if desired not in STATES:
            message = f"{api.names.safe(desired)} is not a state of a unit"
            raise api.errors.UsageError(message, "one of: " + ", ".join(STATES))
        if unit_file.is_template(name) and desired != INACTIVE:
            raise api.errors.UsageError(f"{name} is a template: only its instances can run", "give the instance's name")

    def _pages(self, path: str, key: str, filters: Sequence[tuple[str, str]] = ()) -> list[dict]:
        """All entries of a collection. An empty one is `{}`, and a page that is just full has an empty one after it."""
        from urllib.parse import urlencode

        entries, token = [], ""
        for _ in range(PAGES):
            # The token does not hold the filters: they are repeated with it.
            query = urlencode([*filters, *([("nextPageToken", token)] if token else [])])
            status, answer = self._ask("GET", path + ("?" + query if query else ""))
            self._expect(status, answer, 200, "")
            page = answer.get(key) or []
            if not isinstance(page, list) or not all(isinstance(entry, dict) for entry in page):
                raise _not_fleet()
            entries += page
            token = answer.get("nextPageToken") or ""
            if not token:
                return entries
        raise _not_fleet()

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        """The status and the decoded body of one exchange, with the first endpoint that can serve it.

        All requests are idempotent, so one whose answer was lost may be sent again to another endpoint.
        """
        import json

        data = None if body is None else json.dumps(body).encode()
        failures: list[str] = []
        last = self.endpoints[-1]
        for where in list(self.endpoints):
            try:
                timeout = connection.ANSWER_TIMEOUT if where == last else connection.IMPATIENT
                status, raw = connection.exchange(where, method, PREFIX + path, data, timeout)
            except connection.NoAnswer as reason:
                failures.append(f"{where}: {reason}")
                continue
            if status in (500, 503):  # this node's fleet has lost etcd; another's may have it
                failures.append(f"{where}: {_LOST_ETCD}")
                continue
            self.endpoints.remove(where)
            self.endpoints.insert(0, where)  # the next request need not wait for those that are dead
            return status, _decoded(raw)
        raise self._unavailable(method, path, failures)

    def _unavailable(self, method: str, path: str, failures: list[str]) -> Exception:
        if all(failure.endswith(_LOST_ETCD) for failure in failures):
            poisoned = path.startswith("/units/") and self._answers_otherwise()
            if poisoned:
                name = path.removeprefix("/units/")
                return api.errors.Unavailable(
                    f"fleet cannot read the unit {name}: its desired state in etcd is not one that fleet knows",
                    f"etcdctl set /_coreos.com/fleet/job/{name}/target-state inactive",
                )
            return api.errors.Unavailable(
                "fleet cannot reach etcd, so nothing can be changed; running processes continue", "cluster:status"
            )
        return api.errors.Unavailable("fleet does not answer: " + "; ".join(failures), "cluster:status")

    def _answers_otherwise(self) -> bool:
        try:
            return self._ask("GET", "/machines")[0] == 200
        except api.errors.Unavailable:
            return False

    def _expect(self, status: int, answer: dict, wanted: int | tuple[int, ...], what: str) -> None:
        if status in (wanted if isinstance(wanted, tuple) else (wanted,)):
            return
        error = answer.get("error")
        message = error.get("message") if isinstance(error, dict) else None
        if not isinstance(message, str) or not 400 <= status < 500:
            raise _not_fleet()
        refused = f"fleet refuses the unit {what}" if what else "fleet refuses the request"
        raise api.errors.DeployFailed(f"{refused}: {' '.join(message.split())[:300] or f'status {status}'}", "doctor")


_LOST_ETCD = "it does not reach etcd"


def _not_fleet() -> Exception:
    return api.errors.Unavailable("what answers at fleet's address does not speak fleet's API", "cluster:status")


def _decoded(raw: bytes) -> dict:
    """An answer's JSON object; an empty body is one without members."""
    import json

    try:
        answer = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError) as error:
        raise _not_fleet() from error
    if not isinstance(answer, dict):
        raise _not_fleet()
    return answer


def _text(entry: dict, key: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise _not_fleet()
    return value


def _machine(entry: dict) -> Machine:
    metadata = entry.get("metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _not_fleet()
    return Machine(_text(entry, "id"), _text(entry, "primaryIP"), metadata)


def _unit(entry: dict) -> Unit:
    listed = entry.get("options") or []
    if not isinstance(listed, list) or not all(isinstance(option, dict) for option in listed):
        raise _not_fleet()
    options = tuple(unit_file.Option(_text(o, "section"), _text(o, "name"), _text(o, "value")) for o in listed)
    current = "" if unit_file.is_global(options) else _text(entry, "currentState")
    # GET /units says "inactive" of a global unit where GET /units/NAME says nothing: nothing it is.
    return Unit(_text(entry, "name"), _text(entry, "desiredState"), current, _text(entry, "machineID"), options)


def _state(entry: dict) -> State:
    keys = ("name", "machineID", "systemdLoadState", "systemdActiveState", "systemdSubState", "hash")
    return State(*(_text(entry, key) for key in keys))

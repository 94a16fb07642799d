"""fleet's HTTP API, fleet/v1 and v1-alpha: which request gets which answer. Not in it: the API's self-description."""

import base64
import binascii
import json
import re
import struct
import urllib.parse
from typing import NamedTuple

from . import unitfile
from .etcd_keys import Lost
from .placement import names_clash, requirements
from .registry import Poisoned, Registry, Unit
from .unitfile import Option

PREFIXES = ("/fleet/v1", "/v1-alpha")
TYPES = "automount busname device mount path scope service slice snapshot socket swap target timer".split()
TEMPLATE_TYPES = ("path", "service", "socket", "target", "timer")
NAME_MAX = 256
NO_ETCD = "fleet server unable to communicate with etcd"


class Crashed(Exception):
    """fleet's handler panics: the connection is closed without an answer."""


class Answer(NamedTuple):
    status: int
    body: str | None = None
    json: bool = True  # whether it says that it is JSON


class _Error(Exception):
    def __init__(self, status: int, message: str = "") -> None:
        self.status, self.message = status, message


def error(status: int, message: str = "") -> Answer:
    return Answer(status, encode({"error": {"code": status, "message": message}}))


def encode(value: object) -> str:
    """JSON as Go writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


class Api:
    """`types` in what follows are the Content-Type headers of the request."""

    def __init__(self, registry: Registry, limit: int = 100) -> None:
        self.registry, self.limit = registry, limit

    def answer(self, method: str, target: str, types: list[str], body: bytes) -> Answer:
        """Raises Crashed."""
        split = urllib.parse.urlsplit(target)
        path = urllib.parse.unquote(split.path)
        query = urllib.parse.parse_qs(split.query, keep_blank_values=True)
        prefix = next((prefix for prefix in PREFIXES if path.startswith(prefix + "/")), None)
        if prefix is None:
            return error(405) if path in PREFIXES else error(404)
        collection, _, item = path.removeprefix(prefix + "/").partition("/")
        has_item = "/" in path.removeprefix(prefix + "/")
        try:
            return self._route(method, collection, item if has_item else None, query, types, body)
        except _Error as refused:
            return error(refused.status, refused.message)
        except (Lost, Poisoned):
            return error(500)

    def _route(self, method, collection, item, query, types, body) -> Answer:
        if collection == "machines" and item is None:
            return self._machines(method, query, body)
        if collection not in ("units", "state") or (item is not None and (not item or "/" in item)):
            return error(404)
        if item is None or collection == "state":
            if method != "GET":
                return error(405, "only GET supported against this resource")
            if item is not None:
                return self._state(item)
            return self._units(query) if collection == "units" else self._states(query)
        if method == "GET":
            return Answer(200, encode(_unit(self._known(item), alone=True)))
        if method == "DELETE":
            self._known(item)
            self.registry.destroy(item)
            return Answer(204, json=False)
        if method == "PUT":
            return self._put(item, types, body)
        return error(405, "only GET, PUT and DELETE supported against this resource")

    # -- machines

    def _machines(self, method: str, query: dict, body: bytes) -> Answer:
        if method == "PATCH":
            return self._patch(body)
        if method != "GET":
            return error(405, "only GET and PATCH supported against this resource")
        entries = [
            _without_empty({"id": m.id, "metadata": dict(sorted(m.metadata.items())), "primaryIP": m.address})
            for m in self.registry.machines()
        ]
        return self._page("machines", entries, query)

    def _patch(self, body: bytes) -> Answer:
        operations = _decode(body, "[]api.machineMetadataOp")
        parsed = [_operation(operation) for operation in operations]
        for machine, key, value in parsed:
            self.registry.set_metadata(machine, key, value)
        return Answer(204)

    # -- states

    def _states(self, query: dict) -> Answer:
        token = self._token(query)
        machine, name = (query.get(key, [""])[0] for key in ("machineID", "unitName"))
        found = [s for s in self.registry.states() if machine in ("", s.machine) and name in ("", s.name)]
        return self._page("states", [_state(state) for state in found], query, token)

    def _state(self, name: str) -> Answer:
        found = next((state for state in self.registry.states() if state.name == name), None)
        if found is None:
            raise Crashed(name)
        return Answer(200, encode(_state(found)))

    # -- units

    def _known(self, name: str) -> Unit:
        unit = self.registry.unit(name)
        if unit is None:
            raise _Error(404, "unit does not exist")
        return unit

    def _units(self, query: dict) -> Answer:
        token = self._token(query)
        return self._page("units", [_unit(unit, alone=False) for unit in self.registry.units()], query, token)

    def _put(self, item: str, types: list[str], body: bytes) -> Answer:
        if len(types) != 1:
            return error(415, f"expected 1 Content-Type, got {len(types)}")
        if types[0].split(";")[0].strip() != "application/json":
            return error(415, "only acceptable Content-Type is application/json")
        try:
            asked = _asked(_decode(body, "schema.Unit"))
        except _Error as refused:
            return error(400, "unable to decode body: " + refused.message)
        name = asked["name"] or item
        if name != item:
            return error(400, f"name in URL {_quoted(item)} differs from unit name in request body {_quoted(name)}")
        check_name(name)
        known = self.registry.unit(name)
        options, state = asked["options"], asked["desiredState"]
        if known is None:
            if not options:
                return error(409, "unit does not exist and options field empty")
            check_options(name, options)
        if known is None or (options and unitfile.digest(options) != known.hash):
            if state not in ("", "inactive", "loaded", "launched"):
                return error(500)
            self.registry.create(name, options, state or "inactive")
            return Answer(201, json=False)
        if not state:
            return error(409, "must provide DesiredState to update existing unit")
        if re.fullmatch(r"[^@]*@\.[^.]*", name) and state != "inactive":
            return error(400, f"cannot activate template {_quoted(name)}")
        self.registry.set_target_state(name, state)  # whatever it is
        return Answer(204, json=False)

    # -- pages

    def _token(self, query: dict) -> int:
        """The number of the page that is asked for."""
        said = query.get("nextPageToken", [])
        if len(said) > 1:
            raise _Error(400, "too many values for page token")
        if not said:
            return 1
        raw = _from_base64(said[0])
        if len(raw) < 4:
            raise _Error(400, "unexpected EOF" if raw else "EOF")
        limit, page = struct.unpack("<HH", raw[:4])
        if limit != self.limit:
            raise _Error(400, f"token limit must be {self.limit}")
        if page == 0:
            raise _Error(400, "token page must be greater than zero")
        return page

    def _page(self, key: str, entries: list[dict], query: dict, token: int = 0) -> Answer:
        page = token or self._token(query)
        start, stop = (page - 1) * self.limit, page * self.limit
        body = {}
        if start < len(entries) and stop <= len(entries):
            following = base64.urlsafe_b64encode(struct.pack("<HH", self.limit, page + 1)).decode()
            body["nextPageToken"] = following
        if entries[start:stop]:
            body[key] = entries[start:stop]
        return Answer(200, encode(dict(sorted(body.items()))))  # Go writes the members in the order of their names


def check_name(name: str) -> None:
    """Raises the answer to a name that no unit may have."""
    size = len(name.encode("utf-8", "surrogateescape"))
    if size == 0 or size > NAME_MAX:
        raise _Error(400, f"unit name exceeds maximum length ({NAME_MAX})" if size else "unit name cannot be empty")
    if "." not in name:
        raise _Error(400, 'unit name must contain "."')
    bare, _, kind = name.rpartition(".")
    if not kind:
        raise _Error(400, 'unit name cannot end in "."')
    if kind not in TYPES:
        raise _Error(400, f"invalid unit type: {_quoted(kind)}")
    if "@" in name and kind not in TEMPLATE_TYPES:
        raise _Error(400, f"invalid unit type for template: {_quoted(kind)}")
    for char in bare:
        if not re.fullmatch(r"[0-9a-zA-Z:\-_.\\@]", char):
            raise _Error(400, f"invalid character '{char}' in unit name")
    if name.startswith("@"):
        raise _Error(400, 'unit name cannot start in "@"')


def check_options(name: str, options: list[Option]) -> None:
    """Raises the answer to options that cannot be a unit."""
    try:
        unitfile.deserialize(unitfile.serialize(options))
    except unitfile.BadUnit as refused:
        raise _Error(400, str(refused)) from refused
    asks = requirements("", options)
    for kind, globs in (("conflict", asks.conflicts), ("replace", asks.replaces)):
        clash = names_clash(asks.peers, globs)
        if clash:
            raise _Error(400, f"unresolvable requirements: peer {_quoted(clash[0])} matches {kind} {_quoted(clash[1])}")
    pinned = asks.machine is not None
    for wrong, said in (
        (pinned and asks.peers, "MachineID cannot be used with Peers"),
        (pinned and asks.conflicts, "MachineID cannot be used with Conflicts"),
        (pinned and asks.everywhere, "MachineID cannot be used with Global"),
        (pinned and asks.replaces, "MachineID cannot be used with Replaces"),
        (asks.everywhere and asks.peers, "Global cannot be used with Peers"),
        (asks.everywhere and asks.replaces, "Global cannot be used with Replaces"),
        (asks.conflicts and asks.replaces, "Conflicts cannot be used with Replaces"),
    ):
        if wrong:
            raise _Error(400, said)


def _unit(unit: Unit, alone: bool) -> dict:
    """A global unit has a current state in the list, and none when it is asked for alone."""
    everywhere = requirements(unit.name, unit.options).everywhere
    options = [_without_empty({"name": o.name, "section": o.section, "value": o.value}) for o in unit.options]
    return _without_empty(
        {
            "currentState": "" if everywhere and alone else unit.state,
            "desiredState": unit.target_state,
            "machineID": "" if everywhere and alone else unit.machine,
            "name": unit.name,
            "options": options,
        }
    )


def _state(state) -> dict:
    return _without_empty(
        {
            "hash": state.hash,
            "machineID": state.machine,
            "name": state.name,
            "systemdActiveState": state.active,
            "systemdLoadState": state.load,
            "systemdSubState": state.sub,
        }
    )


def _without_empty(entry: dict) -> dict:
    return {key: value for key, value in entry.items() if value}


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _from_base64(text: str) -> bytes:
    """Raises the answer that Go's decoder gives: it names the first byte that cannot be."""
    bad = re.search("[^A-Za-z0-9_=-]", text)
    if bad:
        raise _Error(400, f"illegal base64 data at input byte {bad.start()}")
    if len(text) % 4:
        raise _Error(400, f"illegal base64 data at input byte {len(text) // 4 * 4}")
    try:
        return base64.urlsafe_b64decode(text)
    except binascii.Error as refused:
        raise _Error(400, f"illegal base64 data at input byte {text.find('=')}") from refused


# -- JSON as Go decodes it into structs

_KINDS = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}


def _decode(body: bytes, into: str) -> object:
    """The first JSON value of a body. Raises the answer with Go's words."""
    text = body.decode("utf-8", "replace").lstrip()
    if not text:
        raise _Error(400, "EOF")
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as refused:
        raise _Error(400, _go_syntax(text, refused)) from refused
    wanted = list if into.startswith("[]") else dict
    if value is None:
        return wanted()
    if not isinstance(value, wanted):
        raise _Error(400, f"json: cannot unmarshal {_KINDS[type(value)]} into Go value of type {into}")
    return value


def _go_syntax(text: str, refused: json.JSONDecodeError) -> str:
    if refused.pos >= len(text):
        return "unexpected EOF"
    places = {
        "Expecting property": "looking for beginning of object key string",
        "Expecting ':'": "after object key",
        "Expecting ','": "after array element",
    }
    place = next(
        (go for start, go in places.items() if refused.msg.startswith(start)), "looking for beginning of value"
    )
    return f"invalid character {text[refused.pos]!r} {place}"


def _field(value: object, kind: type, where: str, go_type: str) -> object:
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise _Error(
            400, f"json: cannot unmarshal {_KINDS[type(value)]} into Go struct field {where} of type {go_type}"
        )
    return value


def _asked(entry: dict) -> dict:
    """The fields of a unit in a request."""
    asked = {
        key: _field(entry.get(key), str, f"Unit.{key}", "string")
        for key in ("name", "desiredState", "currentState", "machineID")
    }
    options = _field(entry.get("options"), list, "Unit.options", "[]*schema.UnitOption")
    asked["options"] = []
    for option in options:
        option = _field(option, dict, "Unit.options", "schema.UnitOption")
        asked["options"].append(
            Option(
                *(_field(option.get(key), str, f"UnitOption.{key}", "string") for key in ("section", "name", "value"))
            )
        )
    return asked


def _operation(operation: object) -> tuple[str, str, str]:
    """(machine, key, value) of one change of metadata; no value removes the key."""
    if not isinstance(operation, dict):
        raise _Error(
            400, f"json: cannot unmarshal {_KINDS[type(operation)]} into Go value of type api.machineMetadataOp"
        )
    kind = 'struct { Value string "json:\\"value\\"" }'
    value = _field(operation.get("value"), dict, "machineMetadataOp.Value", kind)
    value = _field(value.get("value"), str, "Value.value", "string")
    op = _field(operation.get("op"), str, "machineMetadataOp.op", "string")
    path = _field(operation.get("path"), str, "machineMetadataOp.path", "string")
    if op not in ("add", "remove", "replace"):
        raise _Error(400, "invalid op: expect add, remove, or replace")
    found = re.fullmatch("/([^/]+)/metadata/([A-Za-z0-9_.-]+)", path)
    if not found:
        raise _Error(400, "machine metadata path invalid")
    if op != "remove" and not value:
        raise _Error(400, "invalid value: add and replace require a value")
    return found[1], found[2], "" if op == "remove" else value

"""What hooks may return: a third-party plugin's answer is validated before it is used."""

import re
from dataclasses import fields, is_dataclass

from minipaas_lib import errors, names
from minipaas_lib.bus.findings import Finding
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Build

OPTIONS = {
    "memory": int,
    "cpus": (int, float),
    "pids_limit": int,
    "stop_timeout": int,
    "restart": str,
    "wait_to_retire": (int, float),
    "mounts": list,
}
ROUTING = {"domains": list, "listeners": list, "enabled": bool, "settings": dict, "template": str}


def checked(hook: str, answer):
    """The validated answer of a hook; None for a hook without a value. Raises errors.PluginFailed."""
    check = CHECKS.get(hook)
    if check is None or answer is None:
        return None
    try:
        return check(answer)
    except errors.UsageError as error:  # about a name that nobody typed
        raise errors.PluginFailed(error.message) from None


def from_json(hook: str, answer):
    """Like checked, for an executable's answer: a JSON object stands for a Build or a Finding."""
    if hook == "build_image" and isinstance(answer, dict):
        answer = _record(Build, answer)
    elif hook == "doctor" and isinstance(answer, list):
        answer = [_record(Finding, item) if isinstance(item, dict) else item for item in answer]
    return checked(hook, answer)


def to_json(value):
    """A hook's argument as an executable gets it: dicts, lists, strings, numbers, booleans, None."""
    if is_dataclass(value) and not isinstance(value, type):
        plain = {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, App):
            plain |= {"config": value.config, "formation": value.formation}
        return plain
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(to_json(item) for item in value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _wrong(want: str, answer) -> errors.PluginFailed:
    return errors.PluginFailed(f"it must return {want}, not {names.safe(repr(answer))}")


def _record(record_type, answer: dict):
    known = {field.name for field in fields(record_type)}
    unknown = sorted(set(answer) - known)
    if unknown:
        raise errors.PluginFailed(
            f"its answer has {names.safe(unknown[0])}, which {record_type.__name__} does not have"
        )
    try:
        return record_type(**answer)
    except TypeError as error:
        raise errors.PluginFailed(
            f"its answer is not a {record_type.__name__}: {str(error).partition(') ')[2] or error}"
        ) from None


def _text_table(answer, want: str) -> None:
    if not isinstance(answer, dict) or not all(isinstance(k, str) and isinstance(v, str) for k, v in answer.items()):
        raise _wrong(want, answer)


def _detect(answer) -> str:
    if not isinstance(answer, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*(:[^\n]*)?", answer):
        raise _wrong('the builder\'s name and the reason, as "static: there is an index.html"', answer)
    return answer


def _docker_config(answer) -> str:
    if not isinstance(answer, str) or not re.fullmatch(r"/[^\x00-\x1f\x7f]{1,4000}", answer):
        raise _wrong("the absolute path of a folder", answer)
    return answer


def _build(answer) -> Build:
    if not isinstance(answer, Build):
        raise _wrong("a Build", answer)
    if not (isinstance(answer.image, str) and answer.image and isinstance(answer.builder, str) and answer.builder):
        raise _wrong("a Build with an image and a builder", answer)
    _text_table(answer.commands, "a Build whose commands are process type -> command")
    for process_type in answer.commands:
        names.process_type(process_type)
    if type(answer.port) is not int or not 0 <= answer.port < 65536:
        raise _wrong("a Build whose port is a number from 0 to 65535", answer.port)
    notes = answer.notes
    if not isinstance(notes, (list, tuple)) or not all(isinstance(note, str) for note in notes):
        raise _wrong("a Build whose notes are sentences", notes)
    return Build(answer.image, answer.builder, dict(answer.commands), answer.port, tuple(notes))


def _folder(answer) -> str:
    plain = isinstance(answer, str) and answer.isprintable()
    if not plain or any(part in ("", ".", "..") for part in answer.split("/")):
        raise _wrong("a folder inside the repository, as services/web", answer)
    return answer


def _texts(want: str, pattern: str):
    """A check for a list of texts that each match the pattern."""

    def check(answer) -> list[str]:
        good = isinstance(answer, (list, tuple)) and all(isinstance(item, str) for item in answer)
        if not good or not all(re.fullmatch(pattern, item) for item in answer):
            raise _wrong(want, answer)
        return list(answer)

    return check


def _yes_or_no(answer) -> bool:
    if not isinstance(answer, bool):
        raise _wrong("true or false", answer)
    return answer


def _settings(answer) -> dict:
    answer = _keys(answer, {"environment": dict, "ca": str, "memory": int}, "settings of builds")
    ca = answer.get("ca", "")
    if "\0" in ca or "PRIVATE KEY-----" in ca or (ca and "-----BEGIN CERTIFICATE-----" not in ca):
        raise errors.PluginFailed("it may only return certificates in PEM format")
    ca = ca if not ca or ca.endswith("\n") else ca + "\n"
    memory = answer.get("memory", 0)
    if not 0 <= memory < 2**63:
        raise _wrong("settings of builds with a valid memory", memory)
    checked = {"environment": _environment(answer.get("environment", {})), "ca": ca}
    return checked | {"memory": memory} if memory else checked


def _environment(answer) -> dict[str, str]:
    _text_table(answer, "variables, name -> text")
    for name, value in answer.items():
        names.config_name(name)
        if "\0" in value or len(value) > names.CONFIG_VALUE_LIMIT:
            raise errors.PluginFailed(f"the value of {name} is too long or has a NUL character")
    return dict(answer)


def _keys(answer, known: dict, want: str) -> dict:
    if not isinstance(answer, dict):
        raise _wrong(want, answer)
    for key, value in answer.items():
        if key not in known:
            raise errors.PluginFailed(
                f"its answer has the unknown key {names.safe(str(key))}; known are: {' '.join(known)}"
            )
        expected_type = (list, tuple) if known[key] is list else known[key]
        if not isinstance(value, expected_type) or (isinstance(value, bool) and known[key] is not bool):
            raise _wrong(f"{want}, and {key} is of another kind", value)
    return answer


def _options(answer) -> dict:
    answer = _keys(answer, OPTIONS, "a table of container options")
    for key, value in answer.items():
        if key not in ("mounts", "restart") and not 0 <= value < 2**63:
            raise _wrong(f"a valid {key}", value)
    for mount in answer.get("mounts", ()):
        parts = isinstance(mount, (list, tuple)) and len(mount) == 3 and all(isinstance(part, str) for part in mount)
        if not parts or not mount[0] or not mount[1].startswith("/") or mount[2] not in ("rw", "ro"):
            raise _wrong('mounts as [source, target, "rw" or "ro"]', mount)
    if not re.fullmatch("no|always|unless-stopped|on-failure(:[0-9]{1,9})?", answer.get("restart", "no")):
        raise _wrong("a restart policy", answer["restart"])
    return answer


def _routing(answer) -> dict:
    answer = _keys(answer, ROUTING, "part of a route")
    for domain in answer.get("domains", ()):
        if not isinstance(domain, str) or not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*", domain):
            raise _wrong("domains in lower-case ASCII", domain)
    for listener in answer.get("listeners", ()):
        good = isinstance(listener, (list, tuple)) and len(listener) == 3 and isinstance(listener[0], str)
        if not good or not all(type(port) is int and 0 < port < 65536 for port in listener[1:]):
            raise _wrong("listeners as [scheme, host port, container port]", listener)
    return answer


def _report(answer) -> dict:
    if not isinstance(answer, dict):
        raise _wrong("lines of a report, name -> value", answer)
    for key, value in answer.items():
        if not isinstance(key, str) or not re.fullmatch("[a-z0-9][a-z0-9_-]*", key):
            raise _wrong("names of a report as app-created", key)
        items = value if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(item, (str, int, bool)) for item in items):
            raise _wrong(f"text, a number, a boolean or a list of texts as {key}", value)
    return answer


def _doctor(answer) -> list[Finding]:
    if not isinstance(answer, (list, tuple)):
        raise _wrong("a list of findings", answer)
    for finding in answer:
        texts = isinstance(finding, Finding) and (finding.part, finding.said, finding.fix)
        if not texts or not all(isinstance(text, str) for text in texts) or not isinstance(finding.ok, bool):
            raise _wrong("a list of findings (part, ok, said, fix)", finding)
    return list(answer)


def _removed(answer) -> list[str]:
    if not isinstance(answer, (list, tuple)) or not all(isinstance(item, str) for item in answer):
        raise _wrong("a list of what was removed", answer)
    return list(answer)


def _engine(contract: str):
    def check(answer):
        from minipaas_lib.bus import engines

        methods = [
            name for name, value in vars(getattr(engines, contract)).items() if callable(value) and name[0] != "_"
        ]
        missing = [name for name in methods if not callable(getattr(answer, name, None))]
        if missing:
            raise errors.PluginFailed(f"the object it returns lacks {', '.join(missing)} (see bus/engines.py)")
        return answer

    return check


CHECKS = {
    "source_folder": _folder,
    "docker_config": _docker_config,
    "builder_names": _texts("the names of its builders, in a-z, 0-9, _ and -", r"[a-z0-9][a-z0-9_-]*"),
    "builder_files": _texts("a list of files", r"[^\x00-\x1f\x7f]{1,200}"),
    "build_settings": _settings,
    "before_clone": _texts('a list of "table" or "table.key"', "[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)?"),
    "may_use_image": _yes_or_no,
    "detect_builder": _detect,
    "build_image": _build,
    "release_environment": _environment,
    "container_options": _options,
    "route_context": _routing,
    "report": _report,
    "doctor": _doctor,
    "images_unused": _removed,
    "scheduler": _engine("Scheduler"),
    "router": _engine("Router"),
}
ENGINES = ("scheduler", "router")
"""Hooks that return an object, so only a plugin in Python can implement them."""

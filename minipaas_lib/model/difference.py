"""The difference between two releases, without any value of their config. Pure."""

from dataclasses import dataclass, field

from minipaas_lib.model.release import Release


@dataclass(frozen=True)
class Names:
    """Names that were added, changed or removed."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def to_document(self) -> dict[str, list[str]]:
        return {"added": list(self.added), "changed": list(self.changed), "removed": list(self.removed)}

    def words(self) -> str:
        """`added A, changed B C`."""
        parts = (("added", self.added), ("changed", self.changed), ("removed", self.removed))
        return ", ".join(f"{verb} {' '.join(names)}" for verb, names in parts if names)


@dataclass(frozen=True)
class Difference:
    """Each pair is (old, new). Only what may be shown has values: counts, limits, mounts, commands, ports."""

    image: tuple[str, str] | None = None
    commit: tuple[str, str] | None = None
    builder: tuple[str, str] | None = None
    config: Names = Names()
    domains: Names = Names()
    formation: dict[str, tuple[int, int]] = field(default_factory=dict)
    commands: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)  # None: no such process type
    tasks: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    checks: Names = Names()  # "web up": the checks of app.json, by process type and name
    ports: tuple[list, list] | None = None  # listeners, or the port alone if there are none
    options: dict[str, tuple[object, object]] = field(default_factory=dict)  # "web memory" -> limits, mounts
    routing: Names = Names()  # names of the router's other settings

    def __bool__(self) -> bool:
        return any(bool(getattr(self, name)) for name in self.__dataclass_fields__)

    def to_document(self) -> dict:
        """The difference as shown in JSON; what is equal is empty or null."""
        pairs = {name: getattr(self, name) for name in ("image", "commit", "builder", "ports")}
        tables = {name: getattr(self, name) for name in ("formation", "commands", "tasks", "options")}
        return {
            **{name: {"from": pair[0], "to": pair[1]} if pair else None for name, pair in pairs.items()},
            **{name: {key: {"from": a, "to": b} for key, (a, b) in table.items()} for name, table in tables.items()},
            "config": self.config.to_document(),
            "domains": self.domains.to_document(),
            "checks": self.checks.to_document(),
            "routing": self.routing.to_document(),
        }

    def lines(self) -> list[tuple[str, str]]:
        """(what, how it differs) for people, without config values."""
        lines: list[tuple[str, str]] = []
        if self.image:
            lines.append(("image", " -> ".join(short(image) for image in self.image)))
        if self.commit:
            lines.append(("commit", " -> ".join(commit[:8] or "none" for commit in self.commit)))
        if self.builder:
            lines.append(("builder", " -> ".join(name or "none" for name in self.builder)))
        lines += [("config", self.config.words())] if self.config else []
        lines += [("formation", f"{process_type}={a} -> {b}") for process_type, (a, b) in self.formation.items()]
        lines += [
            ("command", f"{process_type}: {_shown(a)} -> {_shown(b)}") for process_type, (a, b) in self.commands.items()
        ]
        lines += [
            ("task", f"{process_type}: {_shown(a)} -> {_shown(b)}") for process_type, (a, b) in self.tasks.items()
        ]
        lines += [("checks", self.checks.words())] if self.checks else []
        lines += [("domains", self.domains.words())] if self.domains else []
        if self.ports:
            lines.append(("ports", " -> ".join(_listeners(ports) for ports in self.ports)))
        lines += [("option", f"{name}: {_shown(a)} -> {_shown(b)}") for name, (a, b) in self.options.items()]
        lines += [("routing", self.routing.words())] if self.routing else []
        return lines


def difference(old: Release, new: Release) -> Difference:
    """How `new` differs from `old`."""
    return Difference(
        image=_pair(old.image, new.image),
        commit=_pair(old.commit, new.commit),
        builder=_pair(old.builder, new.builder),
        config=names(*_without_commit(old, new)),
        domains=names(dict.fromkeys(old.routing.get("domains", [])), dict.fromkeys(new.routing.get("domains", []))),
        formation=_counts(old.formation, new.formation),
        commands=_table(old.commands, new.commands),
        tasks=_table(old.tasks, new.tasks),
        checks=names(_checks(old), _checks(new)),
        ports=_pair(ports(old), ports(new)),
        options=_table(_flat(old.options), _flat(new.options)),
        routing=names(_other_routing(old), _other_routing(new)),
    )


def names(old: dict, new: dict) -> Names:
    """Which keys differ, sorted."""
    return Names(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(name for name in new.keys() & old.keys() if new[name] != old[name])),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


def ports(release: Release) -> list:
    """The listeners of a release's route: [scheme, host port, container port]."""
    return release.routing.get("listeners") or [["http", 80, release.port]]


def short(image: str) -> str:
    """An image ID as people compare it."""
    return image.removeprefix("sha256:")[:12] or "none"


def _pair(old, new):
    return None if old == new else (old, new)


def _table(old: dict, new: dict) -> dict:
    """key -> (old, new) where they differ; None on a side without the key."""
    keys = sorted(old.keys() | new.keys())
    return {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)}


def _counts(old: dict[str, int], new: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Like _table, with 0 for a missing process type."""
    pairs = {process_type: (a or 0, b or 0) for process_type, (a, b) in _table(old, new).items()}
    return {process_type: pair for process_type, pair in pairs.items() if pair[0] != pair[1]}


def _without_commit(old: Release, new: Release) -> tuple[dict, dict]:
    """Both configs without the variables that only name the commit (GIT_REV), which `commit` shows."""
    commit_variables = {
        name for name, value in old.config.items() if value == old.commit and new.config.get(name) == new.commit != ""
    }
    before, after = (
        {name: value for name, value in side.config.items() if name not in commit_variables} for side in (old, new)
    )
    return before, after


def _checks(release: Release) -> dict[str, list[dict]]:
    """The checks of app.json by "<process type> <name>".

    Their content may be secret (a header), so only names are shown.
    """
    named: dict[str, list[dict]] = {}
    for process_type, checks in release.healthchecks.items():
        for check in checks:
            named.setdefault(f"{process_type} {check.get('name', '')}".strip(), []).append(check)
    return named


def _flat(options: dict[str, dict]) -> dict[str, object]:
    return {
        f"{process_type} {name}": value
        for process_type, settings in options.items()
        for name, value in settings.items()
    }


def _other_routing(release: Release) -> dict:
    """The router's settings, and the rest of the route but domains and listeners."""
    others = {key: value for key, value in release.routing.items() if key not in ("domains", "listeners", "settings")}
    return others | release.routing.get("settings", {})


def _shown(value) -> str:
    if isinstance(value, list):
        return _listeners([item if isinstance(item, list) else [item] for item in value]) or "none"
    return "none" if value is None else str(value) or "the image's own"


def _listeners(listeners: list) -> str:
    """`http:80:5000 http:8080:5000`; mounts look like that too."""
    return " ".join(":".join(str(part) for part in listener) for listener in listeners)

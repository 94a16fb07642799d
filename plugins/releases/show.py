"""Releases as people and programs read them. No config value is ever among it."""

import os

from minipaas_lib import api

_SUBJECTS = 20  # commits that a comparison lists


def status(release, live: int) -> str:
    """live, superseded (it was live once), failed or pending."""
    if release.number == live:
        return "live"  # traffic has moved, even where a kill kept that from being written down
    return "superseded" if release.status == "released" else release.status


def row(release, live: int) -> dict:
    """One line of the list."""
    reason = f"{release.reason}: {release.failure}" if release.failure else release.reason
    return {
        "v": release.name,
        "status": status(release, live),
        "when": release.created,
        "who": release.who,
        "commit": release.commit[:8],
        "reason": reason,
    }


def info(release, live: int) -> dict:
    """All details of a release."""
    before = api.kernel.release_before(release.app, release.number)
    found = api.kernel.difference(before, release) if before else None
    return {
        "release": release.name,
        "status": status(release, live),
        "reason": release.reason,
        "failure": release.failure,
        "created": release.created,
        "ended": release.ended,
        "build-seconds": release.build_seconds,
        "author": release.author,
        "key": release.who,
        "image": release.image,
        "builder": release.builder,
        "commit": release.commit,
        "subject": api.repository.subject(release.app, release.commit) if release.commit else "",
        "formation": release.formation,
        "commands": release.commands,
        "tasks": release.tasks,
        "port": release.port,
        "domains": sorted(release.routing.get("domains", [])),
        "listeners": release.routing.get("listeners") or [["http", 80, release.port]],
        "limits": _options(release, lambda name: name != "mounts"),
        "mounts": _options(release, lambda name: name == "mounts"),
        "config": sorted(release.config),
        "compared-with": before.name if before else "",
        "config-added": list(found.config.added) if found else sorted(release.config),
        "config-changed": list(found.config.changed) if found else [],
        "config-removed": list(found.config.removed) if found else [],
        "processes-of": f"v{release.processes}" if release.processes else "",
        "output": os.path.isfile(output_path(release)),
    }


def info_lines(rows: dict) -> dict[str, str]:
    """The rows of `info` as words, without empty ones."""
    shown = {}
    for key, value in rows.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name}={_words(item)}" for name, item in value.items())
        elif isinstance(value, list):
            value = " ".join(_words(item) for item in value)
        if value not in ("", 0.0) or key == "config":
            shown[key] = value
    return shown


def compare(old, new) -> dict:
    """What differs between two releases, with the commits in between."""
    found = api.kernel.difference(old, new)
    commits, back = [], []
    if found.commit and all(found.commit):
        commits = api.repository.commits_between(new.app, old.commit, new.commit, _SUBJECTS)
        back = api.repository.commits_between(new.app, new.commit, old.commit, _SUBJECTS)
    return {
        "from": old.name,
        "to": new.name,
        **found.to_document(),
        "commits": [{"commit": commit, "subject": subject} for commit, subject in commits],
        "commits-back": [{"commit": commit, "subject": subject} for commit, subject in back],
    }


def compare_lines(old, new) -> list[str]:
    """The same for people."""
    found = compare(old, new)
    lines = [f"{what + ':':<11}{how}" for what, how in api.kernel.difference(old, new).lines()]
    for sign, key in (("+", "commits"), ("-", "commits-back")):
        lines += [f"  {sign} {one['commit'][:8]} {one['subject']}" for one in found[key]]
    return lines or [f"{old.name} and {new.name} run the same"]


def output_path(release) -> str:
    """The file with the output of a release."""
    return f"{api.paths.output(release.app)}/{release.name}.log"


def _options(release, is_wanted) -> dict:
    """Process type -> its container options that are `wanted`."""
    by_type = {
        process_type: {k: v for k, v in chosen.items() if is_wanted(k)}
        for process_type, chosen in release.options.items()
    }
    return {process_type: chosen for process_type, chosen in by_type.items() if chosen}


def _words(value) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_words(item)}" for name, item in value.items())
    if isinstance(value, list):
        return (":" if not any(isinstance(item, list) for item in value) else " ").join(_words(item) for item in value)
    return str(value) or "(the image's own)"

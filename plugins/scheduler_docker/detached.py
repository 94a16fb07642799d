"""One-off containers that outlive the command which started them: `blog.run.0001`.

No minipaas process waits for one. It stays after its end, for its output and its exit code; tidy() removes it.
"""

import contextlib
import re
import shlex
import time

from minipaas_lib import api
from plugins.scheduler_docker import containers, network, owner

KEPT = 24 * 3600  # seconds that one stays after its end
_TRIES = 10  # others take numbers too


def start(scheduler, spec: "api.ContainerSpec", ttl: int | None, least: int) -> "api.Detached":
    """Create and start one, with no number below `least`.

    Raises errors.DeployFailed if docker refuses; nothing of it is left then.
    """
    import docker.errors

    scheduler.tidy(spec.app)
    ours = network.ensure(scheduler.daemon)
    until = int(time.time()) + ttl if ttl else 0
    number = max(_last(scheduler, spec.app), least - 1)
    for _ in range(_TRIES):
        number += 1
        name = f"{spec.app}.run.{number:04}"
        body = containers.detached_body(spec, ours.name, number, until, owner.me())
        try:
            made = scheduler.create(name, body)
        except docker.errors.APIError as error:
            if error.status_code != 409:
                raise
            continue
        try:
            scheduler.check_program(made, spec.app)
        except api.errors.MinipaasError:
            scheduler.drop(made)
            raise
        failure = scheduler.begin(made)
        if failure:
            raise api.errors.DeployFailed(
                f"{name} cannot be started: {containers.reason(failure)}", f"run {spec.app} <command>"
            )
        return _read(scheduler.look(made), ours.name, scheduler.node)
    raise api.errors.Unavailable(
        f"other commands are taking all names of one-off processes of {spec.app}", "repeat the command"
    )


def found(scheduler, app: str | None) -> list["api.Detached"]:
    """All of an app, or of all apps, ended ones included, by app and number."""
    ours = network.settings().name
    answers = [scheduler.look(item["Id"]) for item in _listed(scheduler, app)]
    all_of_them = [_read(answer, ours, scheduler.node) for answer in answers if answer]
    return sorted(all_of_them, key=lambda one: (one.process.app, one.process.index))


def is_over(labels: dict, answer: dict | None) -> bool:
    """Whether to remove one: its time is up, or that of its output, or it was never started."""
    if answer is None:
        return False
    state, until = answer["State"], _number(labels.get(containers.UNTIL))
    if state["Status"] == "created":
        return not owner.alive(labels.get(containers.OWNER, ""))
    if state["Running"]:
        return 0 < until <= time.time()
    return seconds(state["FinishedAt"]) + KEPT <= time.time()


def is_overdue(labels: dict, answer: dict | None) -> bool:
    """Whether a running one should have ended: it is stopped then, and stays for its output."""
    return bool(answer and answer["State"]["Running"]) and is_over(labels, answer)


def is_detached(labels: dict | None) -> bool:
    return bool(
        re.fullmatch("[0-9]{1,9}", (labels or {}).get(containers.DETACHED, "")) and (labels or {}).get(containers.RUN)
    )


def seconds(time_text: str) -> int:
    """Seconds since 1970 of docker's time in UTC, rounded down; 0 for its year 1, which is never."""
    import calendar

    with contextlib.suppress(ValueError):
        return max(0, calendar.timegm(time.strptime(time_text[:19], "%Y-%m-%dT%H:%M:%S")))
    return 0


def _read(answer: dict, ours: str, node: str) -> "api.Detached":
    """The one-off that an answer of `GET /containers/{id}/json` describes."""
    labels, state = answer["Config"]["Labels"], answer["State"]
    process = api.Process(
        name=answer["Name"].lstrip("/"),
        app=labels[containers.RUN],
        release=_number(labels.get(containers.RELEASE)),
        process_type="run",
        index=_number(labels[containers.DETACHED]),
        id=answer["Id"],
        address=containers.address(answer["NetworkSettings"]["Networks"], ours),
        state=containers.state_of(state["Status"]),
        exit_code=state["ExitCode"],
        started="" if state["StartedAt"].startswith("0001-") else state["StartedAt"],
        node=node,
    )
    ended = "" if state["Running"] or state["FinishedAt"].startswith("0001-") else state["FinishedAt"]
    return api.Detached(process, _said(answer["Config"]), _number(labels.get(containers.UNTIL)), ended)


def _said(config: dict) -> str:
    """The command as it would be typed."""
    words = config.get("Cmd") or config.get("Entrypoint") or []
    return words[2] if words[:2] == ["/bin/sh", "-c"] and len(words) == 3 else shlex.join(words)


def _listed(scheduler, app: str | None) -> list[dict]:
    return [item for item in scheduler.one_offs(app) if is_detached(item["Labels"])]


def _last(scheduler, app: str) -> int:
    """The highest number in use."""
    return max((_number(item["Labels"][containers.DETACHED]) for item in _listed(scheduler, app)), default=0)


def _number(text: str | None) -> int:
    return int(text) if text and re.fullmatch("[0-9]{1,12}", text) else 0

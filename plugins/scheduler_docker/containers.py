"""Requests to docker and the meaning of its answers. Pure: nothing here talks to docker.

Bodies and answers are those of the Docker Engine API v1.41 (docs.docker.com/engine/api/v1.41).
"""

import re

from minipaas_lib import api

APP = api.kernel.labels.APP
RELEASE = api.kernel.labels.RELEASE
PROCESS = api.kernel.labels.PROCESS
INDEX = api.kernel.labels.INDEX
PORT = api.kernel.labels.PORT
RESTART = api.kernel.labels.RESTART
RUN = api.kernel.labels.RUN
NODE = api.kernel.labels.NODE
OWNER = api.kernel.labels.OWNER
DETACHED = api.kernel.labels.DETACHED
UNTIL = api.kernel.labels.UNTIL
LAUNCHER = api.kernel.labels.LAUNCHER

NEVER = {"Name": "no", "MaximumRetryCount": 0}
HIDDEN = "(hidden)"
TERM = "SIGTERM"

# Docker's states (created, running, paused, restarting, removing, exited, dead) in our words.
_STATES = {"created": "created", "running": "running", "paused": "paused", "restarting": "restarting"}
_GONE = ("removing",)


def body(
    spec: "api.ContainerSpec", network: str, address: str = "", published_at: str = "", stop_signal: str = TERM
) -> dict:
    """The body of `POST /containers/create` for a process on `network`, at a fixed address of it.

    Or with its ports published at an address of the host, `published_at`: docker picks a port of it for each.
    `stop_signal` is the image's own, said anew: without one docker takes any `docker kill --signal`, such as a HUP that
    reopens logs, for a stop, and never again brings the process back after a crash.
    """
    labels = {
        APP: spec.app,
        RELEASE: str(spec.release),
        PROCESS: spec.process_type,
        INDEX: str(spec.index),
        PORT: str(spec.port),
        RESTART: spec.restart,
    }
    if published_at:
        labels[NODE] = "1"
    made = _body(spec, network, labels, {"IPAMConfig": {"IPv4Address": address}} if address else {})
    if published_at:
        published = {f"{port}/tcp": [{"HostIp": published_at, "HostPort": ""}] for port in spec.ports}
        made["ExposedPorts"] = {name: {} for name in published}
        made["HostConfig"]["PortBindings"] = published
    made["StopSignal"] = stop_signal
    if spec.healthcheck:
        made["Healthcheck"] = _healthcheck(spec.healthcheck)
    return made


def one_off_body(spec: "api.ContainerSpec", network: str, interactive: bool, tty: bool, owner: str) -> dict:
    """The body of `POST /containers/create` for a one-off container; docker picks its address."""
    made = _body(spec, network, {RUN: spec.app, OWNER: owner}, {})
    made |= {"AttachStdout": True, "AttachStderr": True, "Tty": tty}
    if interactive:
        made |= {"AttachStdin": True, "OpenStdin": True, "StdinOnce": True}
    made["HostConfig"]["AutoRemove"] = True
    return made


def detached_body(spec: "api.ContainerSpec", network: str, number: int, until: int, owner: str) -> dict:
    """Like one_off_body, for a container that nobody waits for and that stays after its end."""
    labels = {RUN: spec.app, OWNER: owner, DETACHED: str(number), UNTIL: str(until), RELEASE: str(spec.release)}
    return _body(spec, network, labels, {})


def _body(spec: "api.ContainerSpec", network: str, labels: dict, endpoint: dict) -> dict:
    made = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in sorted(spec.environment.items())],
        "Labels": api.kernel.labels.complete(labels),
        "StopTimeout": spec.stop_timeout,
        "HostConfig": _host(spec, network),
        "NetworkingConfig": {"EndpointsConfig": {network: endpoint}},
    }
    words = arguments(spec.command)
    if words:
        made["Cmd"] = words  # the image's ENTRYPOINT, if it has one, gets these as its arguments
    return made


def _host(spec: "api.ContainerSpec", network: str) -> dict:
    return {
        "NetworkMode": network,
        "Init": True,
        "RestartPolicy": NEVER,
        "SecurityOpt": ["no-new-privileges"],
        # With raw sockets an app could answer ARP for another app's address. ping works without.
        "CapDrop": ["NET_RAW"],
        "PidsLimit": spec.pids_limit,
        "Memory": spec.memory,
        "NanoCpus": round(spec.cpus * 1_000_000_000),
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        "Mounts": [
            {"Type": "bind", "Source": source, "Target": target, "ReadOnly": mode == "ro"}
            for source, target, mode in spec.mounts
        ],
    }


def _healthcheck(health) -> dict:
    """Docker's HealthConfig, in nanoseconds."""
    return {
        "Test": ["CMD", *health.command],
        "Interval": round(health.interval * 1e9),
        "Timeout": round(health.timeout * 1e9),
        "StartPeriod": round(health.grace * 1e9),
        "Retries": 1,  # the command itself tries again
    }


def arguments(command: str | tuple[str, ...]) -> list[str]:
    """The words for docker of a command; none for the image's own."""
    if isinstance(command, str):
        return ["/bin/sh", "-c", command] if command else []
    return list(command)


def restart_policy(text: str) -> dict:
    """Docker's restart policy for a spec's `restart`. Raises errors.BadConfig.

    `always` for `unless-stopped`: docker takes its own clean-up after a crash of dockerd, and any `docker kill`, for a
    stop by hand. An app that is stopped has no container, so there is nothing that it could wrongly start.
    """
    found = re.fullmatch("(no|always|unless-stopped|on-failure)(?::([0-9]{1,6}))?", text)
    if not found or (found[2] and found[1] != "on-failure"):
        raise api.errors.BadConfig(
            f"{api.names.safe(text)} is not a restart policy", "one of: always, on-failure:5, no"
        )
    name = found[1].replace("unless-stopped", "always")
    return {"Name": name, "MaximumRetryCount": int(found[2] or 0)}


def is_process(labels: dict | None) -> bool:
    """Whether a container's labels are those of a process: an image or a one-off does not have all of them."""
    labels = labels or {}
    numbers = (labels.get(RELEASE, ""), labels.get(INDEX, ""))
    named = bool(labels.get(APP) and labels.get(PROCESS))
    return named and all(re.fullmatch("[0-9]{1,9}", number) for number in numbers)


def process(answer: dict, network: str) -> "api.Process":
    """The process that an answer of `GET /containers/{id}/json` describes.

    The policy `no` as an app's own choice cannot be told from "not adopted yet" by docker's policy alone, so such a
    process counts as adopted from its start.
    """
    state = answer["State"]
    labels = answer["Config"]["Labels"] or {}
    policy = answer["HostConfig"]["RestartPolicy"]["Name"] or "no"
    at, ports = published(answer)
    return api.Process(
        name=answer["Name"].lstrip("/"),
        app=labels[APP],
        release=int(labels[RELEASE]),
        process_type=labels[PROCESS],
        index=int(labels[INDEX]),
        id=answer["Id"],
        address=at or address(answer["NetworkSettings"]["Networks"], network),
        port=int(labels.get(PORT) or 0),
        state=state_of(state["Status"]),
        exit_code=state["ExitCode"],
        started=_time(state["StartedAt"]),
        adopted=policy != "no" or labels.get(RESTART) == "no",
        ports=ports,
        created=answer.get("Created") or "",
        restarts=answer.get("RestartCount") or 0,
        ended=_time(state.get("FinishedAt")),
    )


def _time(text: str | None) -> str:
    """Docker's time in UTC; its year 1 is never."""
    return "" if not text or text.startswith("0001-") else text


def published(answer: dict) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The host's address at which body() had a container's ports published, and the port there of each.

    An empty address where they are not, and no ports while it does not run.
    """
    asked = (answer["HostConfig"].get("PortBindings") or {}).values()
    at = next((binding["HostIp"] for bindings in asked for binding in bindings or [] if binding["HostIp"]), "")
    found = (answer["NetworkSettings"].get("Ports") or {}).items() if at else ()
    return at, tuple(
        sorted((int(name.partition("/")[0]), int(bindings[0]["HostPort"])) for name, bindings in found if bindings)
    )


def state_of(status: str) -> str:
    """The state of a Process for one of docker's."""
    return "missing" if status in _GONE else _STATES.get(status, "exited")


def address(networks: dict, network: str) -> str:
    """The address in minipaas' network that a container has, or will have when it starts; "" if none."""
    endpoint = (networks or {}).get(network) or {}
    fixed = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
    return fixed or endpoint.get("IPAddress") or ""


def without_values(answer: dict) -> dict:
    """An answer of `GET /containers/{id}/json` with the values of the environment hidden."""
    hidden = [entry.partition("=")[0] + "=" + HIDDEN for entry in answer["Config"].get("Env") or []]
    return answer | {"Config": answer["Config"] | {"Env": hidden}}


def reason(explanation: str) -> str:
    """Docker's reason for a refusal without the chain of programs that passed it on."""
    text = " ".join(explanation.split())
    for head in ("unable to start container process: ", "starting container process caused: ", "create failed: "):
        text = text.rpartition(head)[2]
    return text.removesuffix(": unknown").rstrip(".") or "docker gave no reason"


def init_failure(lines: list[str] | tuple[str, ...]) -> str:
    """The message of docker's init in the log if the command cannot be executed, as a sentence; else ""."""
    for line in reversed(lines):
        found = re.fullmatch(r"\[FATAL tini \(\d+\)\] exec (.+) failed: (.+)", line.strip())
        if found and found[1] == "/bin/sh" and "No such file" in found[2]:
            return "the image has no /bin/sh, which runs the lines of a Procfile"
        if found:
            return f'exec: "{found[1]}": {found[2]}'
    return ""

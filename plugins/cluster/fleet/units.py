"""The plan of a process's unit: which options make fleet run one ContainerSpec on one of its nodes. Pure.

The unit holds no secret and no configuration: where its container is missing, a container of the minipaas image makes
it from the release in the store. An existing container starts with docker alone, without etcd and without us.
"""

import re

from minipaas_lib import api
from plugins.cluster import names
from plugins.cluster.fleet import unit_file
from plugins.cluster.fleet.unit_file import Option

DOCKER = "/usr/bin/docker"
DOCKER_SOCKET = "/var/run/docker.sock"
FLEET_SOCKET = "/run/fleet.sock"
MACHINE_ID = "/etc/machine-id"
START_TIMEOUT = 600  # seconds, for the image to come over the network too
STOP_GRACE = 15  # seconds that systemd waits longer than docker, which waits for the app
# Seconds that a process which is moved may stay until it runs elsewhere; with a stop timeout of 30 less than the 90
# after which systemd ends any stop of a unit whose file fleet has removed.
HAND_OVER = 45
RESTART_AFTER = 2  # seconds
MACHINES = 100  # more than fleet can keep together
SUFFIX = ".service"
# At the same place inside and out: from it docker mounts the tool of liveness checks into processes.
CACHE = "/var/lib/minipaas/cache"
NODE_FILES = "/etc/minipaas"  # on every node: the addresses and certificates that it was set up with
# 137 and 143 are what docker says of an app that SIGKILL or SIGTERM ended: no failure, it was asked for. Without it
# such units stay "failed" in the node's systemd for ever.
SUCCESS = "137 143"

_IMAGE = "[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}"


def process_unit(
    spec: "api.ContainerSpec",
    node_image: str,
    tags: dict[str, str] | None = None,
    nodes: int = 1,
    only: tuple[str, ...] = (),
) -> list[Option]:
    """The options of the unit that runs `spec`; its name is unit_name(spec.name).

    `node_image` is the minipaas image by which the container is made; `tags` are the machine metadata that it needs;
    `nodes` is how many machines could take it, see apart_from. `only` are the ids of the machines that it may go to,
    which are marked with them; none for all. Raises errors.UsageError for tags that fleet could not ask for,
    errors.BadConfig for an unknown restart policy.
    """
    if process_of(unit_name(spec.name)) != (spec.app, spec.release, spec.process_type, spec.index):
        raise api.errors.UsageError(f"{api.names.safe(spec.name)} is not the name of a process")
    options = [
        Option("Unit", "Description", f"minipaas: {spec.name}"),
        Option("Unit", "After", "docker.service"),
        # Not Requires=: a restart of docker would stop the unit, and nothing would start it again.
        Option("Unit", "Wants", "docker.service"),
        *_limit(spec.restart),
        Option("Service", "ExecStartPre", unit_file.line(["/bin/sh", "-c", _create_if_missing(spec.name, node_image)])),
        Option("Service", "ExecStart", unit_file.line([DOCKER, "start", "--attach", spec.name])),
        Option("Service", "ExecStop", unit_file.line(["/bin/sh", "-c", _stop(spec.name, spec.stop_timeout)])),
        Option("Service", "Restart", _restart(spec.restart)),
        Option("Service", "RestartSec", str(RESTART_AFTER)),
        Option("Service", "SuccessExitStatus", SUCCESS),
        Option("Service", "TimeoutStartSec", str(START_TIMEOUT)),
        Option("Service", "TimeoutStopSec", str(HAND_OVER + spec.stop_timeout + STOP_GRACE)),
        # docker keeps what the app prints; the journal need not keep it too.
        Option("Service", "StandardOutput", "null"),
        *_placement(spec, tags or {}, nodes),
        # The same key twice: one of them will do.
        *[Option("X-Fleet", "MachineMetadata", unit_file.metadata(names.MARK, machine)) for machine in only],
    ]
    unit_file.check(options)
    return options


def global_unit(
    name: str, description: str, command: list[str], tags: dict[str, str] | None = None, before: str = ""
) -> list[Option]:
    """The options of the unit NAME.service that runs the container `name` on every machine that has the tags.

    `command` are the words that run it in the foreground, such as those of node_run; `before` is a line of sh that the
    machine runs first, whatever comes of it. Raises errors.UsageError.
    """
    options = [
        Option("Unit", "Description", description),
        Option("Unit", "After", "docker.service"),
        Option("Unit", "Wants", "docker.service"),
        Option("Unit", "StartLimitIntervalSec", "0"),
        # What a killed docker client left under the name; "-": nothing there is fine.
        Option("Service", "ExecStartPre", "-" + unit_file.line([DOCKER, "rm", "--force", name])),
        *([Option("Service", "ExecStartPre", "-" + unit_file.line(["/bin/sh", "-c", before]))] if before else []),
        Option("Service", "ExecStart", unit_file.line(command)),
        Option("Service", "ExecStop", unit_file.line([DOCKER, "stop", name])),
        Option("Service", "Restart", "always"),
        Option("Service", "RestartSec", str(RESTART_AFTER)),
        Option("Service", "SuccessExitStatus", SUCCESS),
        Option("Service", "TimeoutStartSec", str(START_TIMEOUT)),
        Option("X-Fleet", "Global", "true"),
        *[
            Option("X-Fleet", "MachineMetadata", unit_file.metadata(key, value))
            for key, value in sorted((tags or {}).items())
        ],
    ]
    unit_file.name(name + SUFFIX)
    unit_file.check(options)
    return options


def fence(interface: str, ports: tuple[int, ...]) -> str:
    """The line of sh by which a machine lets nothing that comes from the interface connect to these TCP ports anywhere.

    Only what begins a connection is dropped: answers of processes may go to any port.
    """
    import shlex

    numbers = ",".join(map(str, sorted(ports)))
    rule = f"PREROUTING -i {shlex.quote(interface)} -p tcp --syn -m multiport --dports {numbers} -j DROP"
    return f"iptables -w -t raw -C {rule} 2>/dev/null || iptables -w -t raw -A {rule}"


def unit_name(process_name: str) -> str:
    """`blog_v3.web.1.service`."""
    return process_name + SUFFIX


def process_of(name: str) -> tuple[str, int, str, int] | None:
    """(app, release, process type, index) of the unit of a process; None for any other unit."""
    return names.process(name.removesuffix(SUFFIX)) if name.endswith(SUFFIX) else None


def apart_from(app: str, release: int, process_type: str, index: int, nodes: int) -> list[str]:
    """The units that one must not share a machine with.

    The processes of a type and release are taken together by one less than there are machines, and those taken together
    keep apart: so no machine has all, and the ones of a machine that is lost still find a place. Each names those
    before it, one by one and never by a glob, which others would be refused by, too. Never of another release: those
    processes must start beside these.
    """
    together = max(1, min(nodes, MACHINES) - 1)
    first = index - (index - 1) % together
    return [unit_name(f"{app}_v{release}.{process_type}.{number}") for number in range(first, index)]


def node_run(node_image: str, *words: str, name: str = "", more: tuple[str, ...] = ()) -> list[str]:
    """The words that run a command of minipaas in a container on a node, with the node's docker, fleet and network.

    `more` are further mounts as docker's --volume has them.
    """
    if not re.fullmatch(_IMAGE, node_image):
        raise api.errors.BadConfig(f"{api.names.safe(node_image)} is not the name of an image", "cluster:status")
    named = ["--name", name] if name else []
    mounts = [f"{path}:{path}" for path in (DOCKER_SOCKET, FLEET_SOCKET, CACHE)]
    mounts += [f"{path}:{path}:ro" for path in (NODE_FILES, MACHINE_ID)]
    volumes = [word for mount in [*mounts, *more] for word in ("--volume", mount)]
    return [DOCKER, "run", "--rm", *named, "--network", "host", "--pid", "host", *volumes, node_image, *words]


def _create_if_missing(name: str, node_image: str) -> str:
    """A shell line. The names in it are of characters that mean nothing to a shell, and are quoted all the same."""
    import shlex

    there = shlex.join([DOCKER, "container", "inspect", "--format", "ok", name])
    return f"{there} >/dev/null 2>&1 || exec {shlex.join(node_run(node_image, 'node:create', name))}"


def _stop(name: str, timeout: int) -> str:
    """A shell line: in one, since the file of a unit that fleet takes away is gone before a second one would begin.

    Where no agent runs, nothing is waited for.
    """
    import shlex

    first = shlex.join([DOCKER, "exec", names.AGENT, "minipaas", "node:hand-over", name])
    return f"{first} >/dev/null 2>&1; exec {shlex.join([DOCKER, 'stop', '--time', str(timeout), name])}"


def _restart(policy: str) -> str:
    """systemd's Restart= for a process's policy.

    `unless-stopped` means always, as on one host. With on-failure, a restart of dockerd leaves the process dead.
    """
    return {"no": "no", "always": "always", "unless-stopped": "always"}.get(policy, "on-failure")


def _limit(policy: str) -> list[Option]:
    """How often it may start: without end, or as often as `on-failure:5` says."""
    match = re.fullmatch("(no|always|unless-stopped|on-failure)(?::([0-9]{1,6}))?", policy)
    if not match or (match[2] and match[1] != "on-failure"):
        raise api.errors.BadConfig(
            f"{api.names.safe(policy)} is not a restart policy", "one of: always, on-failure:5, no"
        )
    if not int(match[2] or 0):
        return [Option("Unit", "StartLimitIntervalSec", "0")]
    return [
        Option("Unit", "StartLimitIntervalSec", "1w"),
        Option("Unit", "StartLimitBurst", str(int(match[2]) + 1)),
    ]


def _placement(spec, tags: dict[str, str], nodes: int) -> list[Option]:
    others = apart_from(spec.app, spec.release, spec.process_type, spec.index, nodes)
    return [
        *[Option("X-Fleet", "MachineMetadata", unit_file.metadata(key, tags[key])) for key in sorted(tags)],
        *[Option("X-Fleet", "Conflicts", other) for other in others],
    ]

"""A process: one running instance of a process type, and the container it runs in."""

from dataclasses import dataclass, field

from minipaas_lib.model.liveness import Healthcheck
from minipaas_lib.model.route import Backend

STOP_TIMEOUT = 30  # seconds between SIGTERM and SIGKILL
PIDS_LIMIT = 4096


def process_name(app: str, release: int, process_type: str, index: int) -> str:
    """`blog_v3.web.1`. No app or process type contains `_` or `.`, so the name can be read back."""
    return f"{app}_v{release}.{process_type}.{index}"


@dataclass(frozen=True)
class ContainerSpec:
    """All that is needed to create a container; the same on one host and on a cluster's node."""

    name: str
    app: str
    release: int
    process_type: str
    index: int
    image: str
    command: str | tuple[str, ...] = ""  # a shell line from the Procfile, or the words as they are; "" is the image's
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0  # the port it must listen on; 0 for other than web
    ports: tuple[int, ...] = ()  # all ports that requests may be routed to
    stop_timeout: int = STOP_TIMEOUT
    pids_limit: int = PIDS_LIMIT
    memory: int = 0  # bytes; 0 is no limit
    cpus: float = 0.0  # 0 is no limit
    mounts: tuple[tuple[str, str, str], ...] = ()  # (source on the host, target, "rw" or "ro")
    healthcheck: Healthcheck | None = None  # what ends a process that is not alive; None: nothing does
    # Once adopted; also "on-failure", "on-failure:5" (at most 5 times), "no"; "unless-stopped" means "always".
    restart: str = "always"


@dataclass(frozen=True)
class Process:
    """A container of an app as the scheduler sees it."""

    name: str
    app: str
    release: int  # the release that started it
    process_type: str
    index: int
    id: str = ""  # the scheduler's own handle
    address: str = ""  # IP address routers reach it at
    port: int = 0
    state: str = "created"  # created, running, paused (frozen by somebody), restarting, exited, missing
    exit_code: int = 0
    started: str = ""  # UTC, ISO 8601
    adopted: bool = False  # whether it restarts after a crash or a reboot, as live processes do
    node: str = ""  # the node it runs on; "" on one host
    ports: tuple[tuple[int, int], ...] = ()  # (container port, port of the address), where the two differ
    created: str = ""  # UTC, ISO 8601, as the next; empty if the scheduler does not say
    restarts: int = 0  # how often the scheduler has started it again by itself since then
    ended: str = ""  # UTC, ISO 8601: its last end, even if it runs again; empty: never

    @property
    def backend(self) -> Backend:
        """Where its ports are reached."""
        return Backend(self.address, self.ports, self.name)


@dataclass(frozen=True)
class Diagnosis:
    """What is known of a process that failed."""

    state: str
    exit_code: int | None  # of its last end, even if it runs again; None if unknown, or if it never ended
    out_of_memory: bool  # at its last end
    log: tuple[str, ...]  # the last lines it printed, oldest first
    listening: tuple[tuple[str, int], ...]  # (address, port) it listens on, seen from inside
    error: str = ""  # what the scheduler itself said, such as "exec: not found"

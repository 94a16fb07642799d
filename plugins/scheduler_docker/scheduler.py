"""The Scheduler contract (see minipaas_lib.bus.engines), implemented with docker on this host."""

import contextlib

from minipaas_lib import api
from plugins.scheduler_docker import busybox, client, containers, detached, execs, network, owner

_ADDRESS_TRIES = 5


class DockerScheduler:
    """Runs each process as a container of its own, in this host's docker or in another one (see elsewhere)."""

    def __init__(
        self, daemon: client.Daemon = client.HERE, published_at: str = "", node: str = "", beside: str = ""
    ) -> None:
        self.daemon = daemon
        self.published_at = published_at
        self.node = node
        self.beside = beside

    def elsewhere(self, url: str, published_at: str = "", node: str = "", beside: str = "") -> "DockerScheduler":
        """The same on the docker that answers at `url` (unix:///path), "" for this host's: that of a cluster's node.

        There processes have no addresses of their own: their ports are published at `published_at`. `beside` names a
        container there that sees all processes of its host; it is asked what listens, since their /proc is not here.
        """
        return DockerScheduler(client.Daemon(url) if url else client.HERE, published_at, node, beside)

    def interface(self) -> str:
        """The network interface on a host by which its processes reach it and all else."""
        return network.settings().bridge

    def has_image(self, image: str) -> bool:
        import docker.errors

        try:
            with client.answering():
                self.daemon.connect().inspect_image(image)
        except docker.errors.NotFound:
            return False
        return True

    def give_image(self, image: str):
        """The image as the pieces of a tar archive, for take_image() elsewhere. Raises errors.Unavailable."""
        with client.answering():
            yield from self.daemon.new().get_image(image)

    def take_image(self, pieces) -> None:
        """Load an image from the pieces of its archive. Raises errors.Unavailable."""
        with client.answering():
            for said in self.daemon.new().load_image(pieces):
                if "error" in said:
                    raise api.errors.Unavailable(
                        f"docker refuses the image: {containers.reason(said['error'])}", "doctor"
                    )

    def images(self) -> dict[str, str]:
        """The images here: ID -> the name then of the app that each was built for, "" for none.

        Raises errors.Unavailable.
        """
        with client.answering():
            found = self.daemon.connect().images()
        return {image["Id"]: (image["Labels"] or {}).get(containers.APP, "") for image in found}

    def drop_image(self, image: str) -> bool:
        """Remove an image unless a container uses it; return whether it was removed. Raises errors.Unavailable."""
        import docker.errors

        try:
            with client.answering():
                self.daemon.connect().remove_image(image)
        except docker.errors.APIError as error:
            if error.status_code in (404, 409):  # gone already, or in use
                return False
            raise client.unavailable(client.explanation(error)) from None
        return True

    def start(self, spec: "api.ContainerSpec") -> "api.Process":
        containers.restart_policy(spec.restart)
        spec = busybox.mounted(spec)
        ours = network.ensure(self.daemon)
        stop_signal = self._stop_signal(spec.image)
        refused: set[str] = set()
        for _ in range(_ADDRESS_TRIES):
            address = network.reserve(self.daemon, ours, refused)
            container = self._create(spec.name, containers.body(spec, ours.name, address, stop_signal=stop_signal))
            failure = self.begin(container)
            if failure is None:
                return self._process(container, ours.name)
            if "Address already in use" not in failure:
                break
            refused.add(address)
        raise api.errors.DeployFailed(
            f"{spec.name} cannot be started: {containers.reason(failure or '')}", "logs:failed " + spec.app
        )

    def prepare(self, spec: "api.ContainerSpec") -> str:
        """Create the container of a process, which somebody else starts, unless it is there; its id.

        Raises errors.DeployFailed.
        """
        present = self.look(spec.name)
        if present is not None and containers.is_process(present["Config"]["Labels"]):
            return present["Id"]
        spec = busybox.mounted(spec)
        ours = network.ensure(self.daemon, record=False)
        stop_signal = self._stop_signal(spec.image)
        return self._create(spec.name, containers.body(spec, ours.name, "", self.published_at, stop_signal))

    def adopt(self, processes: list["api.Process"]) -> None:
        for process in processes:
            answer = self._inspect(process)
            if answer is None:
                raise api.errors.Unavailable(f"{process.name} was removed by somebody", f"ps:restart {process.app}")
            policy = (answer["Config"]["Labels"] or {}).get(containers.RESTART, api.ContainerSpec.restart)
            self._update(process, containers.restart_policy(policy))

    def renew_policies(self) -> None:
        """Give the live processes of an earlier version, which had unless-stopped, the policy of this one.

        Raises errors.Unavailable.
        """
        for process in self.processes():
            answer = self._inspect(process)
            if answer and answer["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped":
                self._update(process, containers.restart_policy("always"))

    def disown(self, processes: list["api.Process"]) -> None:
        for process in processes:
            self._update(process, containers.NEVER)

    def stop(self, process: "api.Process", timeout: int | None = None) -> None:
        import docker.errors

        answer = self._inspect(process)
        if answer is None:
            return
        if timeout is None:
            timeout = answer["Config"].get("StopTimeout") or 10
        with client.answering(), contextlib.suppress(docker.errors.NotFound):
            self.daemon.connect().stop(answer["Id"], timeout=timeout)
        self.drop(answer["Id"])

    def tidy(self, app: str, every: bool = False) -> None:
        for item in self.one_offs(app):
            if detached.is_detached(item["Labels"]) and not every:
                self._tidy_detached(item)
            elif every or not owner.alive(item["Labels"].get(containers.OWNER, "")):
                self.drop(item["Id"])

    def one_offs(self, app: str | None) -> list[dict]:
        """The entries of docker's list for the one-offs of an app, or of all apps."""
        docker_api, ours = self.daemon.connect(), network.settings().name
        label = containers.RUN + (f"={app}" if app else "")
        with client.answering():
            found = docker_api.containers(all=True, filters={"label": label})
        # An image may have that label of its own, for a process made by an earlier version or for a step of a build.
        return [
            item
            for item in found
            if ours in (item["NetworkSettings"]["Networks"] or {}) and not containers.is_process(item["Labels"])
        ]

    def _tidy_detached(self, item: dict) -> None:
        answer = self.look(item["Id"])
        if answer and detached.is_overdue(item["Labels"], answer):
            self._halt(item["Id"], answer["Config"].get("StopTimeout") or 10)
        elif detached.is_over(item["Labels"], answer):
            self.drop(item["Id"])

    def refresh(self, process: "api.Process") -> "api.Process":
        from dataclasses import replace

        answer = self._inspect(process)
        if answer is None:
            return replace(process, state="missing", adopted=False)
        return self._described(answer, network.settings().name)

    def processes(self, app: str | None = None) -> list["api.Process"]:
        ours = network.settings().name
        answers = [self.look(item["Id"]) for item in self._listed(app, ours)]
        processes = [self._described(answer, ours) for answer in answers if answer]
        return sorted(
            processes, key=lambda process: (process.app, process.process_type, process.index, process.release)
        )

    def names(self) -> set[str]:
        """The names of all processes, without inspecting each, which makes processes() slow with a hundred of them."""
        return {item["Names"][0].lstrip("/") for item in self._listed(None, network.settings().name) if item["Names"]}

    def _listed(self, app: str | None, ours: str) -> list[dict]:
        """The entries of docker's list for the processes of this object."""
        docker_api = self.daemon.connect()
        label = containers.APP + (f"={app}" if app else "")
        with client.answering():
            found = docker_api.containers(all=True, filters={"label": label})
        return [
            item
            for item in found
            if ours in (item["NetworkSettings"]["Networks"] or {})
            and containers.is_process(item["Labels"])
            and bool(item["Labels"].get(containers.NODE)) is bool(self.published_at)
        ]

    def diagnose(self, process: "api.Process", lines: int = 20) -> "api.Diagnosis":
        from plugins.scheduler_docker import ends, sockets

        answer = self._inspect(process)
        if answer is None:
            return api.Diagnosis("missing", 0, False, (), (), "the container is gone")
        state = answer["State"]
        log = tuple(line.text for line in self.logs([process], lines))
        now = self._described(answer, network.settings().name)
        code, out_of_memory = ends.last(self.daemon, answer)
        said = containers.reason(state["Error"]) if state["Error"] else ""
        return api.Diagnosis(
            state=now.state,
            exit_code=code,
            out_of_memory=out_of_memory,
            log=log,
            listening=sockets.of_container(self.daemon, self.beside, state["Pid"]) if state["Pid"] else (),
            error=said or containers.init_failure(log),
        )

    def run(
        self, spec: "api.ContainerSpec", interactive: bool = False, tty: bool = False, ttl: int | None = None
    ) -> int:
        from plugins.scheduler_docker import attached

        def attend(name: str) -> int:
            self.check_program(name, spec.app)
            return attached.start(self.daemon, name, interactive, ttl)

        return self._one_off(spec, attend, interactive, tty)

    def task(self, spec: "api.ContainerSpec", say) -> int:
        from plugins.scheduler_docker import attached

        return self._one_off(spec, lambda name: attached.read(self.daemon, name, say))

    def _one_off(self, spec: "api.ContainerSpec", attend, interactive: bool = False, tty: bool = False) -> int:
        """What `attend` returns for a container made for it; nothing is left of that."""
        import secrets

        self.tidy(spec.app)
        ours = network.ensure(self.daemon)
        name = f"{spec.name.rpartition('.')[0] or spec.name}.{secrets.token_hex(4)}"
        made = self._create(name, containers.one_off_body(spec, ours.name, interactive, tty, owner.me()))
        try:
            return attend(name)
        finally:
            self._end(made, min(spec.stop_timeout, 10))

    def check_program(self, container: str, app: str, program: str = "") -> None:
        """Raise an error with status 127 or 126 if a container cannot run a program, by default its own."""
        import docker.errors

        from plugins.scheduler_docker import programs

        answer = self.look(container)
        if answer is not None:
            with client.answering(), contextlib.suppress(docker.errors.APIError):
                programs.check(self.daemon.connect(), answer, program or answer["Path"], app)

    def detach(self, spec: "api.ContainerSpec", ttl: int | None = None, number: int = 1) -> "api.Detached":
        """See bus.engines.Scheduler. `number` is the lowest that it may get: other hosts have those below."""
        return detached.start(self, spec, ttl, number)

    def detached(self, app: str | None = None) -> list["api.Detached"]:
        return detached.found(self, app)

    def probe(self, process: "api.Process", command: list[str], timeout: float) -> tuple[int, str]:
        import secrets

        import docker.errors

        from plugins.scheduler_docker import attached

        docker_api, session = self.daemon.new(), secrets.token_hex(8)
        docker_api.timeout = timeout
        with client.answering():
            try:
                return attached.probe(docker_api, process.id or process.name, command, timeout, session)
            except docker.errors.APIError as error:
                return 126, containers.reason(client.explanation(error))

    def enter(self, process: "api.Process", command: list[str], tty: bool = False) -> int:
        import secrets

        import docker.errors

        from plugins.scheduler_docker import attached

        now = self.refresh(process)
        if now.state != "running":
            raise api.errors.Unavailable(
                f"{process.process_type}.{process.index} of {process.app} is not running: {now.state}",
                f"ps:report {process.app}",
            )
        session = secrets.token_hex(8)
        try:
            launcher = self._launcher(now)
            if command and not launcher:
                self.check_program(now.id, now.app, command[0])
            words = [*launcher, *(command or [self._shell(now)])]
            return attached.execute(self.daemon, now.name, words, tty, session)
        except (api.errors.Cancelled, api.errors.Denied):
            with contextlib.suppress(docker.errors.APIError, api.errors.Unavailable), client.answering():
                attached.hang_up(self.daemon.connect(), now.id, session)
            raise

    def logs(self, processes: list["api.Process"], lines: int | None = 100) -> list["api.LogLine"]:
        from plugins.scheduler_docker import reading

        found = [line for process in processes for line in reading.last(self.daemon, process, lines)]
        return sorted(found, key=lambda line: line.time)

    def stream(self, process: "api.Process", lines: int | None = 100):
        from plugins.scheduler_docker import reading

        yield from reading.stream(self.daemon, process, lines)

    def follow(self, app: str, lines: int, process_type: str | None = None, index: int | None = None):
        from plugins.scheduler_docker import reading

        def wanted(process):
            return (process_type or process.process_type) == process.process_type and index in (None, process.index)

        yield from reading.follow(self, app, lines, wanted)

    def changes(self):
        """The names of apps, each as a process of it starts or ends. Endless; raises errors.Unavailable.

        Called only in a process that gevent has patched.
        """
        from plugins.scheduler_docker import reading

        yield from reading.changes(self.daemon)

    def written(self, process: "api.Process", timeout: float) -> "api.Written":
        """What the process has written, asked within about `timeout` seconds. Raises errors.Unavailable."""
        import docker.errors

        from plugins.scheduler_docker import written

        answer = self._inspect(process)
        if answer is None or self.published_at:
            return api.Written((), ())
        try:
            return written.of(self.daemon, answer, timeout)
        except docker.errors.APIError as error:
            raise client.unavailable(client.explanation(error)) from None

    def inspect(self, process: "api.Process") -> dict:
        answer = self._inspect(process)
        if answer is None:
            raise api.errors.NotFound(f"{process.name} is gone", f"ps:report {process.app}")
        return containers.without_values(answer)

    def warm(self) -> None:
        self.daemon.connect()

    def _described(self, answer: dict, ours: str) -> "api.Process":
        from dataclasses import replace

        return replace(containers.process(answer, ours), node=self.node)

    # -- one docker call each ------------------------------------------------------------------------------------

    def create(self, name: str, body: dict) -> str:
        """Create a container; its id. Raises docker.errors.APIError, with the status 409 for a name that is taken."""
        with client.answering():
            return self.daemon.connect().create_container_from_config(body, name)["Id"]

    def _create(self, name: str, body: dict) -> str:
        """Create a container, in the place of a leftover of the same name; its id."""
        import docker.errors

        for attempt in (1, 2):
            try:
                return self.create(name, body)
            except docker.errors.APIError as error:
                said = containers.reason(client.explanation(error))
                if "No such image" in said:
                    raise api.errors.DeployFailed(
                        f"the image of {name} is gone from this host", f"ps:rebuild {_app_of(body)}"
                    ) from error
                if error.status_code != 409:
                    raise api.errors.DeployFailed(f"{name} cannot be created: {said}", "doctor") from error
                if attempt == 2 or not self._remove_leftover(name):
                    raise api.errors.DeployFailed(
                        f"another container has the name {name} and is in use", f"docker inspect {name}"
                    ) from error
        raise AssertionError("the second attempt returns or raises")

    def _remove_leftover(self, name: str) -> bool:
        """Remove the container `name` if it is of minipaas and dead for good; return whether it is gone."""
        answer = self.look(name)
        if answer is None:
            return True
        ours = containers.APP in (answer["Config"]["Labels"] or {})
        if not ours or answer["State"]["Running"] or answer["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no"):
            return False
        self.drop(answer["Id"])
        return True

    def begin(self, container: str) -> str | None:
        """Start a container; if that fails, remove it and return docker's message."""
        import docker.errors

        try:
            with client.answering():
                self.daemon.connect().start(container)
            return None
        except docker.errors.APIError as error:
            self.drop(container)
            return client.explanation(error)
        except api.errors.Unavailable:
            with contextlib.suppress(api.errors.Unavailable):
                self.drop(container)
            raise

    def drop(self, container: str) -> None:
        """Remove a container in any state. Raises errors.Unavailable."""
        import docker.errors

        try:
            with client.answering():
                self.daemon.connect().remove_container(container, v=True, force=True)
        except docker.errors.APIError as error:
            if error.status_code not in (404, 409):  # gone, or being removed
                raise api.errors.Unavailable(
                    f"docker cannot remove {container[:12]}: {containers.reason(client.explanation(error))}", "doctor"
                ) from error

    def _end(self, container: str, timeout: int) -> None:
        """Stop and remove a one-off container in any state."""
        self._halt(container, timeout)
        self.drop(container)

    def _halt(self, container: str, timeout: int) -> None:
        """Stop a one-off container, if it runs."""
        import docker.errors

        with client.answering(), contextlib.suppress(docker.errors.APIError):
            self.daemon.connect().stop(container, timeout=timeout)

    def _update(self, process: "api.Process", policy: dict) -> None:
        """Set the restart policy. Nothing happens to a container that is gone."""
        import docker.errors

        try:
            with client.answering():
                self.daemon.connect().update_container(process.id or process.name, restart_policy=policy)
        except docker.errors.APIError as error:
            said = client.explanation(error)
            if not client.is_missing(error) and "marked for removal" not in said:
                raise api.errors.Unavailable(
                    f"docker cannot change {process.name}: {containers.reason(said)}", "doctor"
                ) from error

    def _inspect(self, process: "api.Process") -> dict | None:
        return self.look(process.id or process.name)

    def look(self, container: str) -> dict | None:
        import docker.errors

        with client.answering():
            try:
                return self.daemon.connect().inspect_container(container)
            except docker.errors.NotFound:
                return None

    def _process(self, container: str, ours: str) -> "api.Process":
        answer = self.look(container)
        if answer is None:
            raise api.errors.DeployFailed("a container was removed by somebody else while it started", "doctor")
        return self._described(answer, ours)

    def _launcher(self, process: "api.Process") -> list[str]:
        """The image's launcher, which sets up the environment of commands; empty if it has none."""
        answer = self._inspect(process)
        config = self._image_config(answer["Image"]) if answer else {}
        found = (config.get("Labels") or {}).get(containers.LAUNCHER, "")
        return [found] if found else []

    def _stop_signal(self, image: str) -> str:
        return self._image_config(image).get("StopSignal") or containers.TERM

    def _image_config(self, image: str) -> dict:
        """What docker says of an image; nothing of one that is gone."""
        import docker.errors

        with client.answering():
            try:
                return self.daemon.connect().inspect_image(image)["Config"] or {}
            except docker.errors.NotFound:
                return {}

    def _shell(self, process: "api.Process") -> str:
        """bash if the image has it, else sh. Raises errors.Unavailable if it has neither."""
        docker_api = self.daemon.connect()
        with client.answering():
            probe = docker_api.exec_create(process.id, ["sh", "-c", "command -v bash || true"], stderr=False)["Id"]
            said = b"".join(execs.output(docker_api, probe)).decode("utf-8", "replace").strip()
            code = execs.exit_code(docker_api, probe)
        if code:
            raise api.errors.Unavailable(
                f"the image of {process.app} has no shell",
                f"name a program that it has: enter {process.app} {process.process_type}.{process.index} <command>",
            )
        return "bash" if said else "sh"


def _app_of(body: dict) -> str:
    """The app that a container is made for."""
    return body["Labels"][containers.APP] or body["Labels"][containers.RUN]

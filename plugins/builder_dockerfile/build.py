"""Run one `docker build`, from the plan of its command line to the finished image."""

import contextlib
import json
import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable

from minipaas_lib import api
from plugins.builder_dockerfile import client as clients
from plugins.builder_dockerfile import image, progress

TIMEOUT = 30 * 60  # seconds
_STOP_TIMEOUT = 10  # seconds the client has to cancel the build
_PENDING_LIMIT = 64 * 1024  # bytes of a line that has no end yet
_DOWN = re.compile(
    "cannot connect to the docker daemon|error during connect|permission denied while trying to connect", re.IGNORECASE
)


def tag_of(app: str, number: int) -> str:
    return f"minipaas/{app}:v{number}"


def command_line(
    client: clients.Client, app: str, tag: str, context: str, path: str, commit: str, args: list[str]
) -> list[str]:
    """The arguments of the docker client. Build arguments are names only: their values go through the environment.

    The tag is given to the image when all of it is done, so a build that ends early leaves none.
    """
    command = [client.path, "build", "--progress=plain"] if client.buildkit else [client.path, "build", "--force-rm"]
    command += ["--tag", tag, "--iidfile", _iidfile(context), "--file", os.path.join(context, path)]
    command += ["--label", f"minipaas.app={app}", "--label", f"minipaas.commit={commit}"]
    for name in args:
        command += ["--build-arg", name]
    return [*command, context]


def environment(client: clients.Client, values: dict[str, str]) -> dict[str, str]:
    """The environment of the docker client: ours without what steers builds, and the values of build arguments."""
    steering = ("GIT_", "BUILDKIT_", "DOCKER_BUILDKIT")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(steering)}
    return {**kept, "DOCKER_BUILDKIT": "1" if client.buildkit else "0", "DOCKER_CLI_HINTS": "false", **values}


def build(app: str, context: str, path: str, commit: str, number: int, values: dict[str, str], dockerfile: str):
    """Build the image of release `number` and describe it as a Build.

    context: str, the folder; path: the Dockerfile's in it; values: build arguments; dockerfile: its text.
    Raises errors.BuildFailed, errors.Unavailable; whatever ends it early, the docker client is stopped first.
    """
    client = clients.find()
    if not client.buildkit:
        api.output.warn("no docker client here can use BuildKit: building with the classic builder")
    tag = tag_of(app, number)
    words = progress.BuildKitProgress() if client.buildkit else progress.ClassicProgress()
    command = command_line(client, app, tag, context, path, commit, sorted(values))
    try:
        status = stream(command, environment(client, values), lambda line: _show(words.feed(line)))
        if status:
            raise _failure(words)
        with open(_iidfile(context), encoding="ascii") as file:
            image_id = file.read().strip()
        config = inspect(client, image_id)
    except BaseException:
        discard(client, tag, context)
        raise
    finally:
        with contextlib.suppress(OSError):
            os.unlink(_iidfile(context))
    port = image.port_of(config, dockerfile)
    return api.Build(image_id, "dockerfile", image.commands_of(config), port, image.notes_of(app, config, port))


def stream(command: list[str], env: dict[str, str], feed: Callable[[str], None], timeout: float = TIMEOUT) -> int:
    """Run `command`, give each line of its output to `feed`, and return its exit status.

    Whatever is raised meanwhile, by `feed` or by a signal handler, the command is ended before it goes on.
    Raises errors.BuildFailed after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    process = subprocess.Popen(
        [*_tied_to_us(), *command], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            pending = b""
            while True:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    said = f"the build took more than {timeout / 60:.0f} minutes"
                    raise api.errors.BuildFailed(said, "look for the step that hangs or waits for input")
                piece = os.read(process.stdout.fileno(), 65536)
                *lines, pending = (pending + piece).split(b"\n")
                if len(pending) > _PENDING_LIMIT or (pending and not piece):
                    lines, pending = [*lines, pending], b""
                for line in lines:
                    feed(line.decode("utf-8", "replace"))
                if not piece:
                    return process.wait()
    finally:
        process.stdout.close()
        _end(process)


def inspect(client: clients.Client, image_id: str) -> dict:
    """The image's own configuration."""
    command = [client.path, "image", "inspect", "--format", "{{json .Config}}", image_id]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    if done.returncode:
        raise api.errors.Unavailable("docker does not know the image that it just built", "doctor")
    return json.loads(done.stdout) or {}


def discard(client: clients.Client, tag: str, context: str) -> None:
    """Take away the image of a build that came to its end while it was being cancelled."""
    if os.path.exists(_iidfile(context)):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([client.path, "image", "rm", tag], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


def _show(lines: list[str]) -> None:
    for line in lines:
        api.output.info(line)


def _failure(words: progress.Progress) -> Exception:
    if not words.failed_step and _DOWN.search(words.reason):
        return api.errors.Unavailable("docker does not answer", "doctor")
    for line in words.last:
        api.output.warn(line)
    where = f" at {words.failed_step[:200]}" if words.failed_step else ""
    why = words.reason or "docker gave no reason"
    return api.errors.BuildFailed(f"the build failed{where}: {why}", progress.hint_for(why))


def _tied_to_us() -> list[str]:
    """A prefix that ends the docker client when we are killed, which cancels the build: no image appears later."""
    setpriv = "/usr/bin/setpriv"
    return [setpriv, "--pdeathsig", "TERM", "--"] if os.access(setpriv, os.X_OK) else []


def _end(process: subprocess.Popen) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _iidfile(context: str) -> str:
    return context.rstrip("/") + ".iid"

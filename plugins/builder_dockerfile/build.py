"""Run one `docker build`, from the plan of its command line to the finished image."""

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable

from minipaas_lib import api
from plugins.builder_dockerfile import client as clients
from plugins.builder_dockerfile import foreign, frontend, progress, settings
from plugins.builder_dockerfile.job import Job, ca_file, check, command_line, dockerfile, environment, hider, image_file

_IGNORE_LIMIT = 1 << 20  # bytes of a .dockerignore
_DOWN = re.compile(
    "cannot connect to the docker daemon|error during connect|permission denied while trying to connect", re.IGNORECASE
)


def build(job: Job) -> "api.Build":
    """Build the image of a release and describe it.

    Raises errors.BuildFailed, errors.Unavailable; whatever ends it early, the docker client is stopped first.
    """
    client = clients.find()
    check(client, job)
    watch = foreign.Watch(client, job)
    watch.before()
    scratch = _scratch(job)
    try:
        _fill(scratch, client, job)
        image_id = _run(client, job, scratch, watch)
        config = (foreign.inspect(client, image_id) or {}).get("Config")
        if config is None:
            raise api.errors.Unavailable(
                "docker does not know the image that it just built", "if another command pruned images, repeat this one"
            )
    except BaseException:
        discard(client, job.tag, scratch)
        raise
    finally:
        api.kernel.folders.remove(scratch)
    port = api.kernel.image.port_of(config, job.text)
    return api.Build(
        image_id,
        "dockerfile",
        api.kernel.image.commands_of(config),
        port,
        api.kernel.image.notes_of(job.app, config, port),
    )


def _run(client: clients.Client, job: Job, scratch: str, watch: foreign.Watch) -> str:
    """Let the docker client build; the ID of the image."""
    words = progress.BuildKitProgress() if client.buildkit else progress.ClassicProgress()
    hide, shift, name = hider(job), job.source.shift, os.path.basename(job.path)

    def feed(line: str) -> None:
        if client.buildkit:
            watch.line(line)
        line = frontend.counted_back(progress.clean(hide(line)), shift, name)
        for shown in words.feed(line):
            api.output.info(shown)

    if stream(command_line(client, job, scratch), environment(client, job), feed, job.timeout):
        raise _failure(words, job.app)
    with open(image_file(scratch), encoding="ascii") as file:
        return file.read().strip()


def _scratch(job: Job) -> str:
    """A new folder for what the client reads and writes; leftovers of killed builds go by the start of its name.

    It is not beside the context: what is there may be of the repository.
    """
    os.makedirs(api.paths.work(), mode=0o700, exist_ok=True)
    return tempfile.mkdtemp(prefix=f"{job.app}.v{job.number}.", dir=api.paths.work())


def _fill(scratch: str, client: clients.Client, job: Job) -> None:
    """Write what the client is to read beside the context."""
    files = {dockerfile(scratch, job): job.source.content}
    if job.ca:
        files[ca_file(scratch)] = job.ca.encode("ascii")
    if client.buildkit:  # it looks for this one beside the Dockerfile, before it takes the .dockerignore of the context
        ignored = api.repository.read_file(job.context, job.path + ".dockerignore", _IGNORE_LIMIT)
        files |= {} if ignored is None else {dockerfile(scratch, job) + ".dockerignore": ignored}
    os.mkdir(os.path.dirname(dockerfile(scratch, job)), 0o700)
    for path, data in files.items():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)


def stream(
    command: list[str], env: dict[str, str], feed: Callable[[str], None], timeout: float = settings.TIMEOUT
) -> int:
    """Run `command`, give each line of its output to `feed`, and return its exit status.

    Raises errors.BuildFailed after `timeout` seconds.
    """
    try:
        return api.kernel.streamed_command.run(command, feed, timeout, env)
    except TimeoutError:
        message = f"the build took more than {settings.span(timeout)} and was stopped"
        hint = "look for the step that hangs, or allow more time: builder-dockerfile:set <app> timeout 45m"
        raise api.errors.BuildFailed(message, hint) from None


def discard(client: clients.Client, tag: str, scratch: str) -> None:
    """Take away the image of a build that came to its end while it was being cancelled."""
    if os.path.exists(image_file(scratch)):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([client.path, "image", "rm", tag], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


def _failure(words: progress.Progress, app: str) -> Exception:
    if not words.failed_step and _DOWN.search(words.reason):
        return api.errors.Unavailable("docker does not answer", "doctor")
    for line in words.last:
        api.output.warn(line)
    where = f" at {words.failed_step[:200]}" if words.failed_step else ""
    why = words.reason or "docker gave no reason"
    hint = api.kernel.downloads.in_build("\n".join(words.last), app) or progress.hint_for(why)
    return api.errors.BuildFailed(f"the build failed{where}: {why}", hint)

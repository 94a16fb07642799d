"""What is asked of docker: which images there are, to get one, to give it a name. Through docker's own client."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading

from minipaas_lib import api

PULL_LIMIT = 30 * 60.0  # seconds
_QUICK = 120.0  # seconds
_SETPRIV = "/usr/bin/setpriv"


def client() -> str:
    """The docker client. Raises errors.Unavailable."""
    found = "/usr/bin/docker" if os.access("/usr/bin/docker", os.X_OK) else shutil.which("docker")
    if not found:
        raise api.errors.Unavailable(
            "there is no docker client on this host", "on the host: sudo apt-get install docker.io"
        )
    return found


def run(*words: str, config: str = "", timeout: float = _QUICK, stdin=subprocess.DEVNULL) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `docker <words>`; config: str, a folder with docker's settings.

    Whatever is raised meanwhile ends it, and so does our own death. Raises errors.Unavailable if it does not end.
    """
    tied = [_SETPRIV, "--pdeathsig", "TERM", "--"] if os.access(_SETPRIV, os.X_OK) else []
    command = [*tied, client(), *(["--config", config] if config else []), *words]
    try:
        done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise api.errors.Unavailable(
            f"docker {words[0]} did not finish within {timeout / 60:.0f} minutes", "doctor"
        ) from None
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode and "Cannot connect to the Docker daemon" in said:
        raise api.errors.Unavailable("docker does not answer", "doctor")
    return done.returncode, done.stdout.decode("utf-8", "replace"), said


def feed(words: list[str], write) -> None:
    """Run `docker <words>` with the standard input that `write(file)` gives it. Raises errors.BuildFailed."""
    tied = [_SETPRIV, "--pdeathsig", "TERM", "--"] if os.access(_SETPRIV, os.X_OK) else []
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [*tied, client(), *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )
        assert process.stdin
        timer = threading.Timer(PULL_LIMIT, process.kill)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:  # docker says why it closed it
                write(process.stdin)
            status = process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.wait()
        said.seek(0)
        words_said = said.read(65536).decode("utf-8", "replace")
    if "Cannot connect to the Docker daemon" in words_said:
        raise api.errors.Unavailable("docker does not answer", "doctor")
    if status:
        raise api.errors.BuildFailed(
            f"docker cannot load the image: {last_line(words_said)}", "save it again with docker save"
        )


def inspect(name: str) -> dict | None:
    """What docker knows of an image, by reference or ID; None if it has none."""
    status, out, _ = run("image", "inspect", "--format", "{{json .}}", name)
    return json.loads(out) if status == 0 else None


def pull(name: str, config: str) -> str:
    """Get an image; empty, or in one line why it could not be got."""
    status, _, said = run("pull", "--quiet", name, config=config, timeout=PULL_LIMIT)
    return last_line(said) if status else ""


def tag(image_id: str, name: str) -> None:
    """Give an image a name. Raises errors.Unavailable."""
    status, _, said = run("tag", image_id, name)
    if status:
        raise api.errors.Unavailable(f"docker cannot tag the image: {last_line(said)}", "check the name")


def untag(name: str) -> None:
    """Remove a name; docker removes an image with its last name, unless a container uses it."""
    run("image", "rm", "--no-prune", name)


def last_line(said: str) -> str:
    """The last line of docker's output, for a sentence."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (
        api.output.tame(lines[-1].removeprefix("Error response from daemon: "))[:300]
        if lines
        else "docker gave no reason"
    )

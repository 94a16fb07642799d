"""Explain why a new process failed, as far as its diagnosis shows."""

import contextlib

from minipaas_lib import errors, output
from minipaas_lib.model.process import Diagnosis, Process

EXIT_CODES = {
    126: "the command was found but is not executable",
    127: "the command was not found in the image",
    134: "it aborted itself (SIGABRT)",
    137: "it was killed (SIGKILL), on a small host usually for lack of memory",
    139: "it crashed (segmentation fault)",
    143: "it was terminated (SIGTERM)",
}


def meaning(code: int) -> str:
    """The usual meaning of an exit code, to follow it in a sentence; "" if unknown."""
    return f": {EXIT_CODES[code]}" if code in EXIT_CODES else ""


def exit_reason(seen: Diagnosis) -> str:
    """How a process last ended, to follow "with": `exit code 137: out of memory`. Pure."""
    if seen.exit_code is None:
        return _code(seen)
    return _code(seen) + (": out of memory" if seen.out_of_memory else meaning(seen.exit_code))


def _code(seen: Diagnosis) -> str:
    return "an unknown exit code" if seen.exit_code is None else f"exit code {seen.exit_code}"


def cause(process: Process, seen: Diagnosis) -> str:
    """What went wrong with this process, in one sentence. Pure."""
    if seen.error:
        return f"{process.process_type} could not run: {seen.error}"
    if seen.state in ("exited", "restarting", "missing"):
        if seen.out_of_memory:
            return f"{process.process_type} ran out of memory ({_code(seen)})"
        why = "see its last lines above" if seen.log else "it printed nothing"
        if seen.exit_code in EXIT_CODES:
            why = EXIT_CODES[seen.exit_code]
        return f"{process.process_type} stopped at once with {_code(seen)}: {why}"
    ports = {port for _, port in seen.listening}
    if process.port in ports and all(loopback(address) for address, port in seen.listening if port == process.port):
        return (
            f"{process.process_type} listens on 127.0.0.1:{process.port} only, which cannot be reached from outside "
            "its container"
        )
    if ports - {process.port}:
        others = ", ".join(str(port) for port in sorted(ports))
        return f"{process.process_type} listens on port {others}, but PORT is {process.port}"
    return f"{process.process_type} does not listen on port {process.port}"


def loopback(address: str) -> bool:
    """Whether only the container itself reaches the address."""
    return address == "::1" or address.removeprefix("::ffff:").startswith("127.")


def advice(process: Process, seen: Diagnosis) -> str:
    """What to type or change next. Pure."""
    ports = sorted({port for _, port in seen.listening} - {process.port})
    if seen.state == "running" and process.port in {port for _, port in seen.listening}:
        return "make the app listen on 0.0.0.0"
    if seen.state == "running" and ports:
        return f"make the app listen on $PORT, or: config:set {process.app} PORT={ports[0]}"
    if seen.state == "running" and process.port and not seen.error:
        return (
            f"if it serves no requests, call its type worker in the Procfile and scale it: ps:scale {process.app} "
            f"worker=1, or: checks:skip {process.app} {process.process_type}; its output: logs:failed {process.app}"
        )
    return f"logs:failed {process.app}"


def failure(process: Process, seen: Diagnosis, problem: str = "") -> errors.DeployFailed:
    """The error that says why the process failed, with its last lines. `problem`: what is wrong with it if it runs."""
    crashed = seen.error or seen.state in ("exited", "restarting", "missing")
    message, hint = cause(process, seen), advice(process, seen)
    if problem and not crashed:
        reachable = not process.port or any(
            port == process.port and not loopback(address) for address, port in seen.listening
        )
        message, hint = (problem, f"logs:failed {process.app}") if reachable else (f"{problem}; {message}", hint)
    error = errors.DeployFailed(message, hint)
    error.evidence = (f"the last lines of {process.name}:", *seen.log) if seen.log else ()
    return error


@contextlib.contextmanager
def phase(words: str):
    """Note in errors from the context that they belong to this phase ("while starting web.1"), if none is noted."""
    try:
        yield
    except errors.MinipaasError as error:
        error.phase = error.phase or words
        raise


def report(name: str, error: BaseException, still: str) -> None:
    """Print that the release `name` failed, in which phase, the last lines of its process and what serves now.

    The cause and the next command follow with the error itself.
    """
    show(error)
    during = getattr(error, "phase", "")
    output.warn(f"{name} failed{' ' + during if during else ''}; {still}")


def show(error: BaseException) -> None:
    """Print the last lines that came with an error."""
    title, *lines = getattr(error, "evidence", ()) or ("",)
    if title:
        output.warn(title)
        for line in lines:
            output.info("  " + line)

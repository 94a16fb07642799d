"""Render an app's own nginx.conf.j2: untrusted code, so sandboxed, in a process with limited memory and time."""

import os
import select
import signal
import time

from minipaas_lib import api

SOURCE_LIMIT = 64 * 1024  # bytes
RESULT_LIMIT = 256 * 1024  # bytes
_SECONDS = 3.0
_CPU_SECONDS = 2
_MEMORY = 128 * 1024 * 1024  # bytes, on top of what we have


def render(source: str, variables: dict) -> str:
    """The result of a template, at most RESULT_LIMIT bytes. Raises errors.BadConfig with the reason."""
    if len(source.encode(errors="replace")) > SOURCE_LIMIT:
        raise _problem(f"it has more than {SOURCE_LIMIT // 1024} KiB")
    api.activate()
    import jinja2.sandbox  # noqa: F401 - before the fork: the child has no memory to spare

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _in_child(source, variables, reading, writing)
    os.close(writing)
    try:
        answer = _read(reading, time.monotonic() + _SECONDS)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if answer[:1] == b"+":
        return answer[1:].decode()
    raise _problem(answer[1:].decode(errors="replace") or "it takes too much time or memory")


def _read(pipe: int, deadline: float) -> bytes:
    """The child's output until it closes the pipe; empty if it is late or too long."""
    answer = b""
    while len(answer) <= RESULT_LIMIT + 1:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return b""
        part = os.read(pipe, 65536)
        if not part:
            return answer
        answer += part
    return b"-its result has more than %d KiB" % (RESULT_LIMIT // 1024)


def _in_child(source: str, variables: dict, reading: int, writing: int) -> None:
    """Render, write the result and exit."""
    try:
        import resource

        os.close(reading)
        api.paths.forget_caller()
        with open("/proc/self/statm", encoding="ascii") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            answer = b"+" + _rendered(source, variables).encode()
        except MemoryError:
            answer = b""
        except Exception as error:  # whatever a stranger's template makes Python raise is the template's problem
            answer = f"-{type(error).__name__}: {error}".encode(errors="replace")[:500]
        while answer:
            answer = answer[os.write(writing, answer) :]
    finally:
        os._exit(0)


def _rendered(source: str, variables: dict) -> str:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals = {"range": environment.globals["range"]}
    pieces: list[str] = []
    size = 0
    for piece in environment.from_string(source).generate(variables):
        size += len(piece)
        if size > RESULT_LIMIT:
            raise ValueError(f"its result has more than {RESULT_LIMIT // 1024} KiB")
        pieces.append(piece)
    return "".join(pieces)


def _problem(reason: str) -> Exception:
    return api.errors.BadConfig(f"nginx.conf.j2 cannot be used: {reason}")

"""Hooks and commands written in any language, run as programs of the plugin.

A hook's program gets its arguments as one JSON object on stdin and answers with JSON on stdout if the hook has a
value. Its stderr goes to the user line by line; so does the stdout of a hook without a value. An exit status other
than 0 refuses, with its last line on stderr as the message. Its time and output are limited; when it ends, its whole
process group is killed.
"""

import json
import os
import selectors
import signal
import subprocess
import time

from minipaas_lib import caller, errors, names, output, paths
from minipaas_lib.bus import values

TIMEOUT = 60  # seconds for a hook, unless its plugin.toml gives another
ANSWER_LIMIT = 1 << 20  # bytes on stdout
WORDS_LIMIT = 8 << 20  # bytes on stderr
_LINE_LIMIT = 4096  # bytes of one line shown
_HOLD = 0.2  # seconds that the newest line is held back: the last one of a refusal becomes the error
_KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TERM",
    "NO_COLOR",
    "SSH_CONNECTION",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_REFUSALS = {
    "authorize": errors.Denied,
    "detect_builder": errors.BuildFailed,
    "before_build": errors.BuildFailed,
    "build_image": errors.BuildFailed,
    "after_build": errors.BuildFailed,
    "check_process": errors.DeployFailed,
    "before_config": errors.UsageError,
}


def run_hook(plugin: str, manifest: dict, hook: str, arguments: dict):
    """Run `hooks/<hook>` of an installed plugin and return its answer.

    Raises errors.MinipaasError (a kind that fits the hook) for a refusal, errors.PluginFailed for anything else.
    """
    path = os.path.join(paths.plugins(), plugin, "hooks", hook)
    app, release = arguments.get("app"), arguments.get("release")
    variables = environment(plugin) | {
        "MINIPAAS_HOOK": hook,
        "MINIPAAS_APP": getattr(app, "name", app) or "",
        "MINIPAAS_RELEASE": str(getattr(release, "number", release) or ""),
    }
    payload = json.dumps({name: values.to_json(value) for name, value in arguments.items()}, default=str).encode()
    limit = timeout(manifest, hook)
    has_value = hook in values.CHECKS
    folder = arguments.get("context") or variables["MINIPAAS_PLUGIN_DATA"]
    child = _Child(path, variables, folder, payload, limit, has_value)
    status = child.run()
    if status != 0:
        words = child.last_line.strip() or f"refused {hook} and gave no reason (exit status {status})"
        raise _REFUSALS.get(hook, errors.MinipaasError)(
            words if child.last_line.strip() else f"plugin {plugin} {words}"
        )
    if not has_value or not child.answer.strip():
        return None
    try:
        answer = json.loads(child.answer)
    except (ValueError, RecursionError):
        shown = names.safe(child.answer.decode("utf-8", "replace"))
        raise errors.PluginFailed(f"it must print JSON on stdout, not {shown}") from None
    return values.from_json(hook, answer)


def run_command(plugin: str, command: str, words: list[str]) -> int:
    """Run `commands/<command>` with this process's stdin, stdout and stderr; return its exit status."""
    path = os.path.join(paths.plugins(), plugin, "commands", command)
    variables = environment(plugin) | {"MINIPAAS_COMMAND": command}
    try:
        status = subprocess.call([path, *words], env=variables, cwd=variables["MINIPAAS_PLUGIN_DATA"])
    except OSError as error:
        raise errors.PluginFailed(
            f"plugin {plugin}: {command} cannot be run: {error.strerror}", f"plugin:info {plugin}"
        ) from None
    return status if status >= 0 else 128 - status


def environment(plugin: str) -> dict[str, str]:
    """The environment of a plugin's programs; makes its data folder. Raises errors.Unavailable."""
    data = paths.plugin_data(plugin)
    try:
        os.makedirs(data, mode=0o700, exist_ok=True)
    except OSError as error:
        raise errors.Unavailable(
            f"{data} cannot be made: {error.strerror}", "look for a full disk or a wrong owner: doctor"
        ) from None
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    kept |= {name: os.environ[name] for name in ("MINIPAAS_ROOT", "MINIPAAS_KEY") if name in os.environ}
    kept.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    return kept | {
        "MINIPAAS_API": "1",
        "MINIPAAS_PROGRAM": paths.program(),
        "MINIPAAS_PLUGIN": plugin,
        "MINIPAAS_PLUGIN_DIR": os.path.join(paths.plugins(), plugin),
        "MINIPAAS_PLUGIN_DATA": data,
        "MINIPAAS_CALLER": caller.key(),
    }


def timeout(manifest: dict, hook: str) -> float:
    """The time limit of a hook from its plugin.toml, in seconds."""
    limit = manifest.get("timeout", TIMEOUT)
    if isinstance(limit, dict):
        return limit[hook] if hook in limit else limit.get("default", TIMEOUT)
    return limit


class _Child:
    """One run of a hook's program."""

    def __init__(self, path: str, variables: dict, folder: str, payload: bytes, limit: float, has_value: bool) -> None:
        self.path, self.variables, self.folder, self.limit, self.has_value = path, variables, folder, limit, has_value
        self.payload = memoryview(payload)
        self.answer = b""
        self.last_line = ""
        self._held: str | None = None
        self._held_since = 0.0
        self._partial = {"stdout": b"", "stderr": b""}
        self._printed = {"stdout": 0, "stderr": 0}

    def run(self) -> int:
        """Run it and return its exit status. Raises errors.PluginFailed."""
        try:
            process = subprocess.Popen(
                [self.path],
                env=self.variables,
                cwd=self.folder,
                start_new_session=True,
                umask=0o077,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        except OSError as error:
            raise errors.PluginFailed(f"{os.path.basename(self.path)} cannot be run: {error.strerror}") from None
        try:
            self._talk(process)
            status = process.wait()
        finally:
            _end_group(process)
        if status < 0:
            self._say()
            raise errors.PluginFailed(f"it was killed by signal {signal.Signals(-status).name.removeprefix('SIG')}")
        if status == 0 or self._held is None:
            self._say()
        return status

    def _talk(self, process: subprocess.Popen) -> None:
        """Feed stdin and read until both outputs are closed or the process has ended."""
        deadline = time.monotonic() + self.limit
        ended = 0.0
        assert process.stdin and process.stdout and process.stderr
        with selectors.DefaultSelector() as selector:
            for stream, events in (
                (process.stdin, selectors.EVENT_WRITE),
                (process.stdout, selectors.EVENT_READ),
                (process.stderr, selectors.EVENT_READ),
            ):
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, events)
            reading = 2
            while reading:
                now = time.monotonic()
                if now >= deadline:
                    raise self._too_long()
                if process.poll() is not None:
                    ended = ended or now
                    if now - ended > 1.0:  # a process it left behind holds the pipe: do not wait for it
                        break
                for key, _ in selector.select(min(_HOLD, deadline - now)):
                    if key.fileobj is process.stdin:
                        self._feed(selector, process.stdin)
                    elif not self._read(key.fileobj, "stdout" if key.fileobj is process.stdout else "stderr"):
                        selector.unregister(key.fileobj)
                        reading -= 1
                if self._held is not None and time.monotonic() - self._held_since > _HOLD and process.poll() is None:
                    self._say()
            for name in ("stdout", "stderr"):
                if self._partial[name]:
                    self._line(self._partial[name], name)
            try:
                process.wait(deadline - time.monotonic())
            except subprocess.TimeoutExpired:
                raise self._too_long() from None

    def _too_long(self) -> errors.PluginFailed:
        return errors.PluginFailed(f"it was still running after {self.limit:g} s, its limit")

    def _feed(self, selector, stdin) -> None:
        try:
            self.payload = self.payload[os.write(stdin.fileno(), self.payload[:65536]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it does not read its arguments
            self.payload = self.payload[:0]
        if not self.payload:
            selector.unregister(stdin)
            stdin.close()

    def _read(self, stream, name: str) -> bool:
        try:
            data = os.read(stream.fileno(), 65536)
        except BlockingIOError:
            return True
        self._printed[name] += len(data)
        limit = ANSWER_LIMIT if name == "stdout" else WORDS_LIMIT
        if self._printed[name] > limit:
            raise errors.PluginFailed(f"it printed more than {limit >> 20} MiB on {name}")
        if name == "stdout" and self.has_value:
            self.answer += data
            return bool(data)
        *lines, rest = (self._partial[name] + data).split(b"\n")
        for line in lines:
            self._line(line, name)
        if len(rest) > _LINE_LIMIT:
            self._line(rest, name)
            rest = b""
        self._partial[name] = rest
        return bool(data)

    def _line(self, line: bytes, name: str) -> None:
        self._say()
        text = line[:_LINE_LIMIT].decode("utf-8", "replace").rstrip("\r")
        if name == "stderr" and text.strip():
            self.last_line = text
            self._held, self._held_since = text, time.monotonic()
        else:
            output.info(text)

    def _say(self) -> None:
        """Print the line that is held back."""
        if self._held is not None:
            output.info(self._held)
            self._held = None


def _end_group(process: subprocess.Popen) -> None:
    """Kill the process and all its descendants that stayed in its group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream and not stream.closed:
            stream.close()

"""Build an app with its buildpacks: one container, from the stack image to the app's image."""

import contextlib
import json
import re
from collections import deque

from minipaas_lib import api
from plugins.builder_buildpack import choose, client, fetch, owner, pins, plan, release_yaml, settings, stack, upload

TIMEOUT = 30 * 60  # seconds
SHOWN_LIMIT = 4 << 20  # characters of output that are shown and kept
LINE_LIMIT = 1000  # characters
LAST_LINES = 40  # of its output, looked at for why a build failed
_OUT_LIMIT = 4 << 20  # bytes of what a build hands back
_UPLOAD_TIMEOUT = 600  # seconds
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_OWN_VARIABLES = ("HOME", "PATH", "PORT", "STACK")  # that bin/release cannot set


def build(app, context: str, commit: str, number: int) -> "api.Build":
    """Build the image of release `number` from the folder `context`.

    Raises errors.BuildFailed, errors.Unavailable, errors.InvalidFile. Whatever ends it early, nothing is left but what
    the cache has got.
    """
    config = api.merged_config(app)
    choice = choose.choose(app, context, config)
    if choice is None:
        files = ", ".join(choose.LOOKED_FOR)
        raise api.errors.BuildFailed(
            f"no buildpack fits {app.name}: it has none of {files}", f"buildpacks:set {app.name} <buildpack>"
        )
    downloads = api.build_settings(app)
    image = stack.ensure(settings.stack(app, choice.packs), app)
    pinned, ca_file = pins.pinned(app.name), authority(context, downloads["ca"])
    packs = [fetch.get(pack, pinned.get(pack.text, ""), downloads["environment"], ca_file) for pack in choice.packs]
    api.output.info(f"stack image {image}")
    busybox = stack.busybox() if any(pack.text == "static" for pack in packs) else b""
    cargo = upload.Cargo(
        context, packs, config, downloads["environment"], downloads["ca"], {}, busybox, downloads["memory"]
    )
    built = run(number, commit, image, app.name, cargo)
    pins.remember(app.name, built.image, packs)
    return built


def authority(context: str, certificates: str) -> str:
    """A file with the certificates that downloads trust, beside the build's context; "" for the usual ones."""
    if not certificates:
        return ""
    path = context.rstrip("/") + ".ca"
    with open(path, "w", encoding="utf-8") as file:
        file.write(certificates)
    return path


def run(number: int, commit: str, image: str, app: str, cargo: upload.Cargo) -> "api.Build":
    """Run the buildpacks in a container of the stack image, and make it the app's image."""
    name, tag = plan.container_of(app), plan.tag_of(app, number)
    variable = cargo.config.get("STACK") or settings.stack_variable(image)
    client.succeeds(["rm", "--force", "--volumes", name])  # a dead build's: the caller holds the app's lock
    try:
        client.run(["volume", "create", "--label", f"{plan.CACHE_LABEL}={app}", plan.cache_of(app)])
        client.run(plan.create(app, image, variable, owner.me(), cargo.memory))
        former = [client.fetch(["cp", f"{name}:/etc/{file}", "-"], 1 << 20) for file in ("passwd", "group")]
        cargo = cargo._replace(etc=upload.with_user(*map(upload.only_file, former)))
        client.feed(["cp", "-", f"{name}:/"], lambda pipe: upload.write(pipe, cargo), _UPLOAD_TIMEOUT)
        limit = f"the build took more than {TIMEOUT / 60:.0f} minutes"
        show = Show()
        status = client.stream(["start", "--attach", name], show.line, TIMEOUT, limit)
        out = upload.read(client.fetch(["cp", f"{name}:{plan.BUILD}/out", "-"], _OUT_LIMIT))
        if status or "done" not in out:
            raise _failure(name, status, out, api.kernel.downloads.in_build("\n".join(show.last), app))
        commands, variables = released(out)
        _check_start(app, cargo, commands)
        texts = [pack.text for pack in cargo.packs]
        client.run(plan.commit(app, commit, number, texts, variables), timeout=600)
        image_id = client.run(["image", "inspect", "--format", "{{.Id}}", tag])
    except BaseException:
        _quietly(["image", "rm", tag])
        raise
    finally:
        _quietly(["rm", "--force", "--volumes", name])
    return api.Build(image_id, "buildpack", commands, 0, tuple(f"built with {text}" for text in texts))


def _quietly(words: list[str]) -> None:
    """Clean up without an error, which would hide the first one."""
    with contextlib.suppress(api.errors.Unavailable):
        client.succeeds(words)


class Show:
    """Shows a limited amount of the buildpacks' output in minipaas' own format, which buildpacks share."""

    def __init__(self) -> None:
        self._left = SHOWN_LIMIT
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def line(self, text: str) -> None:
        self.last.append(text[:LINE_LIMIT])
        if self._left <= 0:
            return
        text = _ESCAPES.sub("", text.rstrip("\r").rpartition("\r")[2].replace("\t", "    ")).rstrip()
        text = text if len(text) <= LINE_LIMIT else text[:LINE_LIMIT] + "…"
        self._left -= len(text) + 8
        say(text)
        if self._left <= 0:
            api.output.warn("the build prints too much: the rest is not shown")


def say(text: str) -> None:
    """One line of a buildpack: `-----> ` opens a step, ` !     ` warns, anything else continues."""
    if text.startswith("-----> "):
        api.output.step(text[7:])
    elif text.startswith(" !"):
        api.output.warn(text[2:].strip())
    else:
        api.output.info(text.removeprefix("       "))


def released(out: dict[str, bytes]) -> tuple[dict[str, str], dict[str, str]]:
    """The default commands and variables from the buildpacks' bin/release; the last buildpack wins.

    Raises errors.InvalidFile.
    """
    commands: dict[str, str] = {}
    variables: dict[str, str] = {}
    for name in sorted(name for name in out if re.fullmatch(r"release\.[0-9]{2}", name)):
        document = release_yaml.parse(out[name])
        for kind, command in release_yaml.section(document, "default_process_types").items():
            if command and kind != "release" and re.fullmatch(api.names.PROCESS_TYPE, kind):
                commands[kind] = command
        for key, value in release_yaml.section(document, "config_vars").items():
            if key not in _OWN_VARIABLES and re.fullmatch(api.names.CONFIG_NAME, key):
                variables[key] = value
    return commands, variables


def _failure(name: str, status: int, out: dict[str, bytes], download: str = "") -> Exception:
    reason = out.get("reason", b"").decode("utf-8", "replace").strip()[:500] or f"it ended with exit code {status}"
    hint = download or "see the lines above, then push again"
    killed = client.run(["container", "inspect", "--format", "{{json .State}}", name])
    if re.search(r"exit code (9|137)\b", reason) or json.loads(killed).get("OOMKilled"):
        hint = "it was killed, most likely for lack of memory; to see what builds may use: guard:report"
    return api.errors.BuildFailed(f"the build failed: {api.output.tame(reason)}", hint)


def _check_start(app: str, cargo: upload.Cargo, commands: dict[str, str]) -> None:
    if commands or api.repository.read_file(cargo.context, "Procfile", 1 << 20) is not None:
        return
    names = ", ".join(pack.reference.text for pack in cargo.packs)
    said = f"nothing says how {app} starts: it has no Procfile, and {names} declares no process"
    raise api.errors.BuildFailed(said, "commit a file Procfile with a line such as: web: gunicorn app:app")

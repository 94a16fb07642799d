"""Install, replace and remove plugins: each change is made beside, checked, and put in place at once."""

import json
import os
import re
import subprocess
import tempfile
import time

from minipaas_lib import api
from plugins.plugins import files, host

INSPECT_LIMIT = 60  # seconds
PIP_LIMIT = 900  # seconds
_URL = r"(https?|ssh|git|file)://[!-~]+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[!-~]+"


def install(source: str, committish: str, name: str) -> dict:
    """Install a plugin and return its manifest. Raises errors.MinipaasError with nothing changed."""
    with host.folder() as top, staging(top) as scratch:
        about, folder = prepare(scratch, source, committish, name)
        name = about["name"]
        if os.path.lexists(api.kernel.installed.folder(name)):
            raise api.errors.UsageError(f"plugin {name} is already installed", f"plugin:update {name}")
        refuse_taken(about)
        api.kernel.folders.remove(former(name))
        os.rename(folder, api.kernel.installed.folder(name))
        finish(lambda: os.rename(api.kernel.installed.folder(name), folder))
    return about


def update(name: str, committish: str | None) -> tuple[dict, bool]:
    """Bring a plugin up to date with where it came from; its manifest, and whether anything differs."""
    with host.folder() as top, staging(top) as scratch:
        present = known(name)
        record = api.kernel.installed.record(name)
        if not record.get("source"):
            raise api.errors.UsageError(
                f"it is not known where {name} came from", f"plugin:uninstall {name}, then: plugin:install <source>"
            )
        wanted = record.get("committish", "") if committish is None else committish
        about, folder = prepare(scratch, record["source"], wanted, name)
        fresh = record_of(folder)
        if (fresh["commit"], fresh["digest"]) == (record.get("commit"), record.get("digest")):
            return about, False
        refuse_taken(about)
        if not api.kernel.installed.is_enabled(name):
            mark_disabled(folder)
        exchange(folder, present)
        finish(lambda: exchange(folder, present))
        keep_former(folder, name)
    return about, True


def uninstall(name: str) -> str:
    """Take a plugin away; return the folder of its own files, which stay."""
    with host.folder():
        present = known(name)
        keep_former(present, name)
        finish(lambda: os.rename(former(name), present))
    return api.paths.plugin_data(name)


def undo(name: str) -> str:
    """Put back what was there before the last install, update or uninstall; one sentence on what that was."""
    with host.folder():
        present, before = api.kernel.installed.folder(name), former(name)
        here, there = os.path.isdir(present), os.path.isdir(before)
        if here and there:
            exchange(present, before)
            finish(lambda: exchange(present, before))
            return f"plugin {name} is {version(name)} again"
        if here:
            keep_former(present, name)
            finish(lambda: os.rename(before, present))
            return f"plugin {name} is uninstalled again"
        if there:
            os.rename(before, present)
            finish(lambda: os.rename(present, before))
            return f"plugin {name} {version(name)} is installed again"
    raise missing(name)


def set_enabled(name: str, wanted: bool) -> bool:
    """Enable or disable a plugin, whatever state its code is in; whether that changed anything."""
    with host.folder():
        present = known(name)
        if api.kernel.installed.is_enabled(name) == wanted:
            api.kernel.reindex()
            return False
        if wanted:
            refuse_taken(api.kernel.manifest.read(present))
            os.unlink(os.path.join(present, api.kernel.installed.DISABLED))
        else:
            mark_disabled(present)
        api.kernel.reindex()
    return True


def known(name: str) -> str:
    """The folder of an installed plugin. Raises errors.NotFound with the nearest name."""
    if not re.fullmatch(api.kernel.manifest.NAME, name) or name not in api.kernel.installed.names():
        raise missing(name)
    return api.kernel.installed.folder(name)


def missing(name: str) -> Exception:
    import difflib

    if name in api.kernel.index.load().plugins and name not in api.kernel.index.load().installed:
        return api.errors.UsageError(f"{name} is part of minipaas itself", "plugin:list")
    near = difflib.get_close_matches(name, api.kernel.installed.names(), 1)
    return api.errors.NotFound(
        f"no plugin {api.names.safe(name)} is installed", f"did you mean {near[0]}?" if near else "plugin:list"
    )


def version(name: str) -> str:
    try:
        return api.kernel.manifest.read(api.kernel.installed.folder(name))["version"]
    except api.errors.MinipaasError:
        return "of an unknown version"


class staging:
    """A new folder in the folder of plugins, so that a rename puts things in place; what a killed one left goes."""

    def __init__(self, top: str) -> None:
        self.top = top

    def __enter__(self) -> str:
        for name in os.listdir(self.top):
            if name.startswith(".staging-"):
                api.kernel.folders.remove(os.path.join(self.top, name))
        self.folder = tempfile.mkdtemp(prefix=".staging-", dir=self.top)
        os.chmod(self.folder, 0o755)
        return self.folder

    def __exit__(self, *exc) -> None:
        api.kernel.folders.remove(self.folder)


def prepare(scratch: str, source: str, committish: str, name: str) -> tuple[dict, str]:
    """Fetch a plugin into the folder `scratch` and check it; its manifest and its folder there."""
    if re.fullmatch(_URL, source) and not source.startswith("file:"):
        api.output.step(f"Fetching {source}")
    fetched = os.path.join(scratch, "fetched")
    source, commit = fetch(source, committish, scratch, fetched)
    if name:
        rename(fetched, name)
    about = api.kernel.manifest.read(fetched)
    folder = os.path.join(scratch, about["name"])
    os.rename(fetched, folder)
    record = {
        "source": source,
        "committish": committish,
        "commit": commit,
        "digest": files.digest(folder),
        "installed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    vendor(folder, scratch)
    compile_all(folder)
    inspect(folder, about)
    write_new(os.path.join(folder, api.kernel.installed.RECORD), json.dumps(record, indent=2) + "\n")
    return about, folder


def fetch(source: str, committish: str, scratch: str, target: str) -> tuple[str, str]:
    """Put a plugin's files into the folder `target`; the source in full, and the commit if there is one."""
    if re.fullmatch(_URL, source):
        return source, files.clone(source, committish, scratch, files.Target(target))
    path = os.path.abspath(source)
    if committish and os.path.isdir(path):
        return path, files.clone(path, committish, scratch, files.Target(target))
    if os.path.isdir(path):
        files.copy(path, files.Target(target))
    elif os.path.isfile(path):
        with open(path, "rb") as file:
            files.unpack(file, files.Target(target))
    else:
        raise api.errors.NotFound(
            f"{api.names.safe(source)} is neither a folder, nor a tar archive, nor the URL of a git repository",
            "plugin:install --help",
        )
    return path, ""


def rename(folder: str, name: str) -> None:
    """Give a fetched plugin another name."""
    path = os.path.join(folder, "plugin.toml")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(api.kernel.manifest.SIZE_LIMIT + 1)
    except (OSError, UnicodeDecodeError):
        return  # the check says it
    if re.fullmatch(api.kernel.manifest.NAME, name) is None:
        raise api.errors.UsageError(
            f"{api.names.safe(name)} cannot be a plugin's name", "use a-z, 0-9 and _, a letter first"
        )
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub(r"(?m)^name\s*=.*$", f'name = "{name}"', text, count=1))


def refuse_taken(about: dict) -> None:
    """Raise errors.UsageError when another plugin has one of its commands."""
    for other in api.kernel.installed.enabled().values():
        shared = sorted(set(about.get("commands", {})) & set(other.get("commands", {})))
        if shared and other["name"] != about["name"]:
            raise api.errors.UsageError(
                f"the command {shared[0]} belongs to plugin {other['name']}", f"plugin:disable {other['name']}"
            )


def vendor(folder: str, scratch: str) -> None:
    """Install what requirements.txt names into vendor/. pip runs as paas: a package's own set-up must not be root."""
    requirements = os.path.join(folder, "requirements.txt")
    if not os.path.isfile(requirements):
        return
    api.output.step("Installing its requirements")
    site = tempfile.mkdtemp(prefix="minipaas-pip-")
    user = host.paas()
    try:
        if user:
            os.chown(site, user.pw_uid, user.pw_gid)
        target = os.path.join(site, "vendor")
        command = [
            *pip(site),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--no-compile",
            "--no-warn-script-location",
            "--target",
            target,
            "--requirement",
            requirements,
        ]
        done = _run(command, site, PIP_LIMIT)
        if done.returncode:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
            for line in said[-10:]:
                api.output.info(line)
            raise api.errors.InvalidFile(
                "requirements.txt cannot be installed, for the reason above",
                "correct it, or check whether this host reaches PyPI",
            )
        if os.path.isdir(target):
            place = os.path.join(folder, "vendor")
            if os.path.lexists(place):
                raise api.errors.InvalidFile("there are both requirements.txt and vendor/", "remove one of them")
            files.copy(target, files.Target(place, files.VENDOR_COUNT_LIMIT, files.VENDOR_SIZE_LIMIT))
    finally:
        api.kernel.folders.remove(site)


def pip(site: str) -> list[str]:
    """The host's pip, or one in an environment made for this once."""
    python = host.ourselves()[0]
    if _run([python, "-m", "pip", "--version"], site, 60).returncode == 0:
        return [python, "-m", "pip"]
    place = os.path.join(site, "venv")
    if _run([python, "-m", "venv", place], site, 120).returncode:
        raise api.errors.Unavailable(
            "this host has no pip for the plugin's requirements", "apt-get install python3-venv"
        )
    return [os.path.join(place, "bin", "python"), "-m", "pip"]


def _run(command: list[str], home: str, limit: float) -> subprocess.CompletedProcess:
    environment = host.environment(HOME=home, TMPDIR=home, PIP_NO_CACHE_DIR="1")
    try:
        return subprocess.run(
            command,
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit,
            umask=0o022,
            **host.as_paas(),
        )
    except subprocess.TimeoutExpired:
        raise api.errors.Unavailable(
            f"{os.path.basename(command[0])} took longer than {limit} s", "try again"
        ) from None


def compile_all(folder: str) -> None:
    """Compile its modules now: paas, who runs them, cannot write beside them.

    Code that cannot be is seen by inspect.
    """
    import compileall

    if any(name.endswith(".py") for name in os.listdir(folder)):
        compileall.compile_dir(folder, quiet=2, stripdir=os.path.dirname(folder), prependdir=api.paths.plugins())
        for place, folders, names in os.walk(folder):
            for name in folders if os.path.basename(place) != "__pycache__" else names:
                if name == "__pycache__" or name.endswith(".pyc"):
                    os.chmod(os.path.join(place, name), 0o755 if name == "__pycache__" else 0o644)


def inspect(folder: str, about: dict) -> None:
    """Load the plugin's Python in a process of paas's and compare it with what plugin.toml says.

    Raises errors.InvalidFile with the plugin, the hook and its signature.
    """
    for problem in problems(folder, about):
        raise api.errors.InvalidFile(
            f"plugin {about['name']}: {problem}", "correct the plugin, then: plugin:test <folder>"
        )


def problems(folder: str, about: dict) -> list[str]:
    """What is wrong with the plugin's Python modules."""
    programs = about["executables"]
    if set(programs["hooks"]) == set(about.get("hooks", [])) and set(programs["commands"]) == set(
        about.get("commands", {})
    ):
        return []
    try:
        done = host.run_as_paas(["plugin:inspect", folder], INSPECT_LIMIT)
    except subprocess.TimeoutExpired:
        return [f"its modules were still being imported after {INSPECT_LIMIT} s"]
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return ["its modules end the process when they are imported"]
    return [str(problem) for problem in found]


def finish(revert) -> None:
    """Write the index of what is now in place; when that fails, `revert` it."""
    try:
        os.sync()
        api.kernel.reindex()
    except OSError as error:
        revert()
        raise api.errors.Unavailable(
            f"the index of plugins cannot be written: {error.strerror}", "look for a full disk or a wrong owner: doctor"
        ) from None


def former(name: str) -> str:
    return os.path.join(api.paths.plugins(), api.kernel.installed.FORMER, name)


def keep_former(folder: str, name: str) -> None:
    """Move a folder to where undo finds it."""
    os.makedirs(os.path.dirname(former(name)), mode=0o700, exist_ok=True)
    api.kernel.folders.remove(former(name))
    os.rename(folder, former(name))


def exchange(one: str, other: str) -> None:
    """Let two folders change their names at once (renameat2, RENAME_EXCHANGE). Raises OSError."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), one)


def mark_disabled(folder: str) -> None:
    write_new(os.path.join(folder, api.kernel.installed.DISABLED), "")


def record_of(folder: str) -> dict:
    with open(os.path.join(folder, api.kernel.installed.RECORD), encoding="utf-8") as file:
        return json.load(file)


def write_new(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)

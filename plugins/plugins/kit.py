"""The conformance kit: run a plugin against every hook it claims, in its own world, each call in its own process."""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import tempfile

from minipaas_lib import api
from plugins.plugins import admin, host, samples

ENGINES = "zz_kit_engines"
"""A plugin of the kit's own in the scratch world: engines in memory."""
_ENGINES_TOML = f'api = 1\nname = "{ENGINES}"\nversion = "1"\nsummary = "Engines in memory"\nhooks = [%s]\n'
_ENGINES_HOOKS = {
    "scheduler": "@api.hookimpl(tryfirst=True)\ndef scheduler():\n    return memory.MemoryScheduler()\n",
    "router": "@api.hookimpl(tryfirst=True)\ndef router():\n    return memory.MemoryRouter()\n",
}
_ENGINES_CODE = """from minipaas_lib import api
from plugins.plugins import memory



%s"""
BUSYBOX = "/bin/busybox"
NEVER_REFUSE = ("doctor", "report")
SAMPLE = {
    "Dockerfile": 'FROM scratch\nCOPY . /\nCMD ["/serve"]\n',
    "Procfile": "web: serve\nworker: work --all\n",
    "public/index.html": "<p>sample</p>\n",
    "README.md": "A sample app.\n",
}


class Kit:
    """One run of the kit. `results` holds (whether it went well, what was tried, what was said)."""

    def __init__(self, limit: float, say) -> None:
        self.limit, self.say = limit, say
        self.results: list[tuple[bool, str, str]] = []
        self.scratch = tempfile.mkdtemp(prefix="minipaas-plugin-test-")
        self.root = os.path.join(self.scratch, "root")
        self.about: dict = {}

    def remove(self) -> None:
        api.kernel.folders.remove(self.scratch)

    def tell(self, ok: bool, what: str, said: str = "") -> bool:
        self.results.append((ok, what, said))
        self.say(ok, what, said)
        return ok

    @property
    def passed(self) -> bool:
        return all(ok for ok, _, _ in self.results)

    def fetch(self, source: str) -> bool:
        """Copy the plugin into the scratch world and check its files; as root where root typed the command."""
        plugins = os.path.join(self.root, "plugins")
        os.makedirs(plugins)
        for folder in (self.scratch, self.root, plugins):
            os.chmod(folder, 0o755)
        try:
            source, _ = admin.fetch(source, "", self.scratch, os.path.join(self.scratch, "fetched"))
            self.about = api.kernel.manifest.read(os.path.join(self.scratch, "fetched"))
        except api.errors.MinipaasError as error:
            return self.tell(False, "plugin.toml and the files", error.message)
        self.folder = os.path.join(plugins, self.about["name"])
        os.rename(os.path.join(self.scratch, "fetched"), self.folder)
        self.tell(
            True, "plugin.toml and the files", f"{self.about['name']} {self.about['version']}, API {self.about['api']}"
        )
        try:
            admin.vendor(self.folder, self.scratch)
        except api.errors.MinipaasError as error:
            return self.tell(False, "requirements.txt", error.message)
        user = host.paas()
        if user:
            for place, _, names in os.walk(self.scratch, topdown=False):  # no folder is paas's before what is in it
                for path in (place, *(os.path.join(place, name) for name in names)):
                    os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        return True

    def run(self) -> None:
        """Everything that runs the plugin's code; nobody but paas may come here."""
        os.environ["MINIPAAS_ROOT"] = self.root
        os.environ.pop("MINIPAAS_KEY", None)
        found = admin.problems(self.folder, self.about)
        self.tell(not found, "the modules can be loaded and their signatures fit", "; ".join(found))
        if found:
            return
        self.add_engines()
        api.kernel.reindex()
        self.context = self.make_context()
        self.make_program()
        for command in sorted(self.about.get("commands", {})):
            self.try_command(command)
        for hook in self.about.get("hooks", []):
            status, said = self.child("plugin:try", self.about["name"], hook, "--context", self.context, "--count")
            for number in range(int(said.get("count", 0)) if status == 0 else 1):
                if not self.try_hook(hook, number):
                    break
        if self.passed and {"detect_builder", "build_image"} <= set(self.about.get("hooks", [])):
            self.build()
        if self.passed:
            self.story("in memory", "sample", samples.IMAGE)
        if self.passed and "scheduler" not in self.about.get("hooks", []):
            self.story_of_docker()

    def add_engines(self, kinds: tuple[str, ...] = ("scheduler", "router")) -> None:
        """Engines in memory, for those the plugin does not bring itself."""
        wanted = [kind for kind in kinds if kind not in self.about.get("hooks", [])]
        folder = os.path.join(self.root, "plugins", ENGINES)
        os.makedirs(folder, exist_ok=True)
        for name, text in (
            ("plugin.toml", _ENGINES_TOML % ", ".join(f'"{kind}"' for kind in wanted)),
            ("hooks.py", _ENGINES_CODE % "\n\n".join(_ENGINES_HOOKS[kind] for kind in wanted)),
        ):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)

    def make_context(self) -> str:
        """A source tree to build: the plugin's own `sample` folder, or a usual one."""
        context = os.path.join(self.scratch, "context")
        own = os.path.join(self.folder, "sample")
        if os.path.isdir(own):
            shutil.copytree(own, context)
            return context
        for name, text in SAMPLE.items():
            path = os.path.join(context, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return context

    def make_program(self) -> None:
        """What MINIPAAS_PROGRAM is for the plugin: this very minipaas."""
        with open(os.path.join(self.scratch, "minipaas"), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {shlex.join(host.ourselves())} "$@"\n')
        os.chmod(os.path.join(self.scratch, "minipaas"), 0o755)

    def try_command(self, command: str) -> None:
        """Its help must come without a store."""
        what = f"{command} --help"
        try:
            done = self.program(command, "--help")
        except subprocess.TimeoutExpired:
            self.tell(False, what, f"no answer within {self.limit:g} s")
            return
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        self.tell(done.returncode == 0 and b"Usage" in done.stdout, what, said[-1] if said and done.returncode else "")

    def try_hook(self, hook: str, number: int) -> bool:
        """One call of a hook in a process of its own; what it did to the documents is looked at."""
        before = self.documents()
        status, result = self.child(
            "plugin:try", self.about["name"], hook, "--context", self.context, "--case", str(number)
        )
        what = f"{hook}{': ' + result['case'] if result.get('case') else ''}"
        outcome, said = result.get("outcome", "failed"), result.get("said", "")
        if outcome == "failed":
            return self.tell(False, what, said or f"it ended the process (exit status {status})")
        if outcome == "refused" and hook in NEVER_REFUSE:
            return self.tell(False, what, f"it must never refuse, and it said: {said}")
        if outcome == "refused" and ("gave no reason" in said or not said.strip()):
            return self.tell(False, what, "it refused without a word on why")
        changed = self.foreign_changes(before)
        if changed:
            return self.tell(False, what, f"it changed what is not its own: {changed}")
        return self.tell(True, what, f"{outcome}{': ' + said if said else ''}")

    def build(self) -> None:
        """Let a builder build: its own `sample`, or the usual source tree if it claims that."""
        must = os.path.isdir(os.path.join(self.folder, "sample"))
        if not docker("version"):
            return
        status, result = self.child("plugin:try", self.about["name"], "build", "--context", self.context)
        said = result.get("said", f"it ended the process (exit status {status})")
        if result.get("outcome") == "answered" and not said:
            if must:
                self.tell(False, "a build of its own sample", "it does not claim it")
            return
        image = result.get("image", "")
        there = bool(image) and docker("image", "inspect", image)
        self.tell(there, "a build of a sample", said if there or not image else f"there is no image {image}")
        if there:
            docker("rmi", "-f", image)

    def story(self, scheduler: str, app: str, image: str) -> None:
        """A whole release rolled out with the plugin in place."""
        status, result = self.child("plugin:try", self.about["name"], "deploy", "--app", app, "--image", image)
        ok = status == 0 and result.get("outcome") in ("answered", "refused")
        said = result.get("said") or ("" if ok else "it ended the process")
        self.tell(ok, f"a whole deploy, scheduler {scheduler}", said)

    def story_of_docker(self) -> None:
        """The same under docker, if there is one, and a busybox to run in it."""
        if not os.path.exists(BUSYBOX) or not docker("version"):
            return
        name = f"kit-{secrets.token_hex(4)}"
        image = busybox_image(f"minipaas-kit:{name}")
        if not image:
            return
        try:
            self.add_engines(("router",))
            api.kernel.reindex()
            self.story("docker", name, image)
        finally:
            left = subprocess.run(
                ["docker", "ps", "-aq", "--filter", f"label=minipaas.app={name}"], capture_output=True, text=True
            )
            for container in left.stdout.split():
                docker("rm", "-f", container)
            docker("rmi", "-f", f"minipaas-kit:{name}")

    def child(self, *words: str) -> tuple[int, dict]:
        """Run one of the kit's own commands in the scratch world; its exit status and what it answered."""
        try:
            done = self.program(*words)
        except subprocess.TimeoutExpired:
            return 1, {"outcome": "failed", "said": f"it was still running after {self.limit:g} s"}
        for line in reversed(done.stdout.decode("utf-8", "replace").splitlines()):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                return done.returncode, found
        return done.returncode, {}

    def program(self, *words: str) -> subprocess.CompletedProcess:
        environment = host.environment(
            MINIPAAS_ROOT=self.root, HOME=self.scratch, MINIPAAS_PROGRAM=os.path.join(self.scratch, "minipaas")
        )
        environment.pop("MINIPAAS_TRACE_HOOKS", None)
        process = subprocess.Popen(
            [*host.ourselves(), *words],
            env=environment,
            cwd=self.scratch,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=self.limit)
        finally:
            try:
                os.killpg(process.pid, 9)
            except ProcessLookupError:
                pass
            process.wait()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def documents(self) -> dict[str, dict]:
        """Every document of the scratch store."""
        import tomllib

        found, top = {}, os.path.join(self.root, "state")
        for place, _, names in os.walk(top):
            for name in names:
                if name.endswith(".toml") and ".scratch" not in place:
                    path = os.path.join(place, name)
                    with open(path, encoding="utf-8") as file:
                        text = file.read()
                    try:
                        found[os.path.relpath(path, top)] = tomllib.loads(text)
                    except ValueError:
                        found[os.path.relpath(path, top)] = {"broken": text}
        return found

    def foreign_changes(self, before: dict[str, dict]) -> str:
        """The first table that differs from before and is not the plugin's own, as `document: table`."""
        after = self.documents()
        for path in sorted({*before, *after}):
            old, new = before.get(path), after.get(path)
            if old is None and not before and path == "platform.toml":
                continue
            for key in sorted({*(old or {}), *(new or {})}):
                if key == self.about["name"] and os.path.basename(path) in ("app.toml", "platform.toml"):
                    continue
                if (old or {}).get(key) != (new or {}).get(key):
                    return f"{path}: {key}"
        return ""


def try_hook(plugin: str, hook: str, context: str, number: int) -> dict:
    """Call one hook of a plugin with sample arguments: what became of it. In a process of its own."""
    case, arguments = samples.cases(hook, context)[number]
    return {"case": case} | outcome(lambda: api.call_one(hook, plugin, **arguments))


def try_deploy(app: str, image: str) -> dict:
    """Roll out a release of the sample app."""
    store = api.kernel.store()
    if not store.exists(f"apps/{app}/app.toml"):
        prepare_world(app, image)
    return outcome(lambda: api.change(app, "plugin:test", force=True) and None)


def try_build(plugin: str, context: str) -> dict:
    """Let a builder build what it claims; nothing is said where it claims nothing."""

    def claimed():
        answer = api.call_one("detect_builder", plugin, app=samples.app(), context=context)
        return (answer or "").partition(":")[0]

    builder: list[str] = []
    result = outcome(lambda: builder.append(claimed()))
    if result["outcome"] != "answered" or not builder[0]:
        return result
    made: list = []
    arguments = {
        "app": samples.app(),
        "builder": builder[0],
        "context": context,
        "commit": samples.COMMIT,
        "release": 2,
    }
    result = outcome(lambda: made.append(api.call_one("build_image", plugin, **arguments)))
    if result["outcome"] != "answered":
        return result
    if made[0] is None:
        return {"outcome": "failed", "said": f"it claims the sample as {builder[0]} and does not build it"}
    return {
        "outcome": "answered",
        "said": f"{builder[0]}, processes: {' '.join(made[0].commands)}",
        "image": made[0].image,
    }


def prepare_world(app: str = "sample", image: str = "") -> None:
    """The sample app with a live release, in the store of the scratch world."""
    store = api.kernel.store()
    if store.exists(f"apps/{app}/app.toml"):
        return
    changed = {
        "image": image or samples.IMAGE,
        "commands": {"web": "exec busybox httpd -f -p $PORT"},
        "formation": {"web": 1},
        "routing": {},
    }
    document = samples.DOCUMENT | {"formation": {"web": 1}, "domains": {"names": [f"{app}.example.org"]}}
    api.kernel.documents.write(store, f"apps/{app}/app.toml", document)
    api.kernel.documents.write(store, f"apps/{app}/releases/1.toml", samples.release(1, app).to_document() | changed)
    store.write(f"apps/{app}/live", "1\n")
    store.write(f"counters/{app}", "1\n")


def docker(*words: str) -> bool:
    """Run docker; whether it went well."""
    try:
        return (
            subprocess.run(["docker", *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=60).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def busybox_image(tag: str) -> str:
    """An image with nothing but a shell; an empty string where docker does not take it."""
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(os.path.realpath(BUSYBOX), "bin/busybox")
        link = tarfile.TarInfo("bin/sh")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)
    command = ["docker", "import", "--change", "ENV PATH=/bin", "-", tag]
    done = subprocess.run(command, input=buffer.getvalue(), capture_output=True, timeout=60)
    return done.stdout.decode().strip() if done.returncode == 0 else ""


def outcome(call) -> dict:
    """What became of a call: answered, refused (the plugin said no in so many words) or failed."""
    try:
        answer = call()
    except api.errors.PluginFailed as error:
        return {"outcome": "failed", "said": error.message}
    except api.errors.MinipaasError as error:
        return {"outcome": "refused" if error.plugin else "failed", "said": error.message}
    except Exception as error:
        return {"outcome": "failed", "said": f"{type(error).__name__}: {error}"}
    return {"outcome": "answered", "said": "" if answer is None else repr(answer)[:200]}


def inspect(folder: str) -> list[str]:
    """What is wrong with the Python modules of the plugin in `folder`, its name the folder's. Imports them."""
    folder = os.path.abspath(folder)
    parent, name = os.path.split(folder)
    about = api.kernel.manifest.read(folder)
    found: list[str] = []
    programs = about["executables"]
    hooks = [hook for hook in about.get("hooks", []) if hook not in programs["hooks"]]
    commands = [command for command in about.get("commands", {}) if command not in programs["commands"]]
    if hooks:
        module = load(name, "hooks", parent, found)
        for hook in hooks if module else ():
            function = getattr(module, hook, None)
            problem = (
                f"hooks.py has no function {hook}"
                if function is None
                else api.kernel.third_party.signature_problem(function, hook, api.kernel.manifest.hook_arguments(hook))
            )
            found += [problem] if problem else []
        known = set(api.kernel.manifest.hook_names())
        marked = {n for n, value in vars(module).items() if hasattr(value, "minipaas_impl")} if module else set()
        for extra in sorted(marked - set(about.get("hooks", []))):
            found.append(
                f"hooks.py has {extra}, but hooks in plugin.toml does not name it"
                if extra in known
                else f"there is no hook {extra}"
            )
    if commands:
        import click

        module = load(name, "commands", parent, found)
        for command in commands if module else ():
            wanted = command.replace(":", "_").replace("-", "_")
            made = getattr(module, wanted, None)
            if not isinstance(made, click.Command) or made.name != command:
                found.append(f"commands.py has no click command {wanted} of the name {command}")
    return found


def load(name: str, module: str, parent: str, found: list[str]):
    """Import a module of the plugin; None, with the reason in `found`, when that fails."""
    try:
        return api.kernel.third_party.importlib_module(name, module, parent)
    except (Exception, SystemExit) as error:
        found.append(f"{module}.py cannot be imported: {type(error).__name__}: {error}")
        return None

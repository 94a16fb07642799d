"""A scratch world for tests of commands: a root folder of its own, and the command line in this process."""

import io
import os
import signal
import sys

import hypothesis
import pytest

from minipaas_lib import address, api, caller, cli, firewall, output, paths, store
from minipaas_lib.bus import active_engines, index, manager
from minipaas_lib.deploy import change, compose, drain_worker, probe, readiness, rollout
from minipaas_lib.journal import held, journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Build, Release
from minipaas_lib.records import apps, releases
from minipaas_lib.store import schema
from tests.fakes import FakeRouter, FakeScheduler
from tests.unit import hint_check


@pytest.fixture(autouse=True)
def own_signals():
    """What a rollout does to signal handlers ends with the test: children would inherit an ignored signal."""
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    former = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


# A slow machine is no failure; what else a profile says (CI's repeats the same examples) stays.
hypothesis.settings.register_profile("house", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("house")


class Result:
    """What one command did."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


class World:
    """Runs commands. `world("apps:create", "blog")` gives the exit status and what was printed."""

    def __init__(self, root: str, capsys, monkeypatch) -> None:
        self.root, self._capsys, self._monkeypatch = root, capsys, monkeypatch

    def __call__(self, *argv: str, stdin: str | bytes = b"", key: str = "root") -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        if key == "root":
            self._monkeypatch.delenv("MINIPAAS_KEY", raising=False)
        else:
            self._monkeypatch.setenv("MINIPAAS_KEY", key)
        self._capsys.readouterr()
        status = cli.run(list(argv))
        said = self._capsys.readouterr()
        return Result(status, said.out, said.err)

    def ok(self, *argv: str, **options) -> str:
        """Run a command that must succeed; its stdout."""
        result = self(*argv, **options)
        assert result.status == 0, result.err
        return result.out

    def refused(self, *argv: str, **options) -> str:
        """Run a command that must be refused with a sentence and change no document; what it said."""
        before = self.documents()
        result = self(*argv, **options)
        assert result.status in (1, 2), result
        assert result.err.startswith(" !     ") and "Traceback" not in result.err and "itself failed" not in result.err
        assert result.out == "" and self.documents() == before
        hint_check.check_printed(result.err)
        return result.err

    def documents(self) -> dict[str, str]:
        """All documents of the store."""
        opened = store.open_store()
        return {path: opened.read(path).text for path in opened.list()}


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    return make_world(tmp_path, monkeypatch, capsys)


def make_world(tmp_path, monkeypatch, capsys) -> World:
    """A world in the folder `root` of a scratch folder; a cluster.toml that is there already holds."""
    root = os.path.join(tmp_path, "root")
    monkeypatch.setenv("MINIPAAS_ROOT", root)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr(paths, "caller_directory", str(tmp_path))
    monkeypatch.setattr(caller, "_command", "")
    monkeypatch.setattr(held, "patience", 0.0)
    monkeypatch.setattr(output, "_deaf", False)
    monkeypatch.setattr(address, "reached", lambda: None)
    monkeypatch.setattr(firewall, "read", firewall.Texts)  # that of the machine is no part of a test
    monkeypatch.setattr(active_engines, "_engines", {})
    schema.check(store.open_store())  # a new store is written to by the first command
    return World(root, capsys, monkeypatch)


class Engines:
    """The engines in memory, and deploys without git or a build."""

    def __init__(self, scheduler, router) -> None:
        self.scheduler, self.router = scheduler, router
        self.spawned: list[str] = []
        self.later: list = []  # what was to be done in the background

    def deploy(self, name: str, commands: dict[str, str] | None = None, image: str = "sha256:1", **about) -> Release:
        """What a push does once the image is built."""
        with locks.app_lock(name):
            present, live = apps.load(name), releases.live(name)
            app = App(name, {key: value for key, value in present.document.items() if key != "stopped"})
            build = Build(image, "fake", commands or {"web": ""})
            number = releases.next_number(name)
            release = compose.release_of(
                app,
                number,
                build,
                about.get("commit", "c" * 40),
                about.get("tasks", {}),
                "git push",
                about.get("healthchecks"),
            )
            journal.begin(name, "rollout", release=number, previous=live.number if live else 0, commit=release.commit)
            releases.write(release)
            return rollout.roll_out(app, release, live, save_app=lambda: change.write(app, present))

    def routed(self, name: str) -> list[str]:
        """The names of the processes that an app's requests reach; of each, that it runs."""
        by_address = {p.address: p for p in self.scheduler.containers.values()}
        reached = [by_address[address] for address, *_ in self.router.table[name].backends]
        assert all(process.state == "running" for process in reached)
        return sorted(process.name for process in reached)


@pytest.fixture
def fake(world, monkeypatch):
    """A world with a scheduler and a router in memory; nothing retires by itself."""
    made = Engines(FakeScheduler(), FakeRouter())
    monkeypatch.setattr(active_engines, "_engines", {"scheduler": made.scheduler, "router": made.router})
    monkeypatch.setattr(readiness, "accepts", made.scheduler.accepts)
    monkeypatch.setattr(probe, "accepts", made.scheduler.accepts)
    monkeypatch.setattr(readiness, "UP_TIME", 0.0)
    monkeypatch.setattr(readiness, "LOOK_AGAIN", 0.05)
    monkeypatch.setattr(readiness, "START_LIMIT", 0.1)
    monkeypatch.setattr(drain_worker, "spawn", made.spawned.append)
    monkeypatch.setattr(api, "in_background", made.later.append)
    return made


def unplug():
    """Know no plugin from elsewhere any more."""
    index.forget()
    manager.forget()
    for name in [name for name in sys.modules if name.partition(".")[0] == "minipaas_plugins"]:
        del sys.modules[name]


@pytest.fixture
def plugs(world, monkeypatch, tmp_path):
    """A world whose folder of plugins can be filled: `plugs.add(name, hooks=[...], **files)`, used from then on."""
    program = tmp_path / "minipaas-program"
    house = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {house}/minipaas "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("MINIPAAS_PROGRAM", str(program))
    unplug()
    yield Plugs(paths.plugins())
    unplug()


class Plugs:
    """Plugins in a folder, and the index of them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def add(self, name: str, hooks: list[str], toml: str = "", index_it: bool = True, **files: str) -> str:
        """Write a plugin and use it; `__` in a file's name is a slash, and what begins with #! can be run."""
        folder = os.path.join(self.folder, name)
        head = f'api = 1\nname = "{name}"\nversion = "1"\nsummary = "For a test"\nhooks = {hooks!r}\n'
        for path, text in {"plugin__toml": head + toml, **files}.items():
            path = path.replace("plugin__toml", "plugin.toml").replace("__", "/").replace("hooks_py", "hooks.py")
            place = os.path.join(folder, path.replace("commands_py", "commands.py"))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(place, 0o755 if text.startswith("#!") else 0o644)
        if index_it:
            self.use()
        return folder

    def use(self) -> None:

        unplug()
        os.makedirs(self.folder, exist_ok=True)
        manager.reindex()

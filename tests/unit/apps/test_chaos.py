"""Commands in any order while engines and store fail and processes are killed: what served goes on serving.

After each command, however it ended: routes lead to running processes that come back after a reboot, the ledger only
grows. Once a process has recovered in peace: nothing stray, no journal, the document and what is live say the same.
"""

import concurrent.futures
import copy
import os
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from minipaas_lib import caller, errors, output, store
from minipaas_lib.apps import lifecycle
from minipaas_lib.bus import active_engines, manager
from minipaas_lib.deploy import change, compose, drain, drain_worker, plan, readiness, restore
from minipaas_lib.journal import cancellation, journal, locks
from minipaas_lib.records import apps, releases
from minipaas_lib.store import schema
from tests.chaos import FAIL, KILL, ChaosRouter, ChaosScheduler, InTurn, Killed, Weather, expose_store
from tests.sampling import ALL
from tests.unit.conftest import Engines

APP = "blog"
COMMANDS = [{"web": "serve"}, {"web": "serve", "worker": "work"}]

strikes = st.dictionaries(st.integers(1, 34), st.sampled_from([FAIL, KILL, KILL]), max_size=2)
rates = st.sampled_from([0.0, 0.0, 0.05, 0.3])
seeds = st.integers(0, 1 << 16)


def put(table: str, key: str, value):
    """An edit of the app's document."""

    def edit(document):
        document.setdefault(table, {})[key] = value

    return edit


class Chaos(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.folder = tempfile.mkdtemp(prefix="minipaas-chaos-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.patch.setenv("MINIPAAS_ROOT", self.folder)
        self.patch.delenv("MINIPAAS_KEY", raising=False)
        self.patch.setattr(caller, "_command", "")
        self.patch.setattr(os, "fsync", lambda descriptor: None)
        self.patch.setattr(output, "_progress", lambda line: None)
        self.weather = Weather()
        self.host = Engines(ChaosScheduler(self.weather), ChaosRouter(self.weather))
        self.patch.setattr(active_engines, "_engines", {"scheduler": self.host.scheduler, "router": self.host.router})
        self.patch.setattr(readiness, "accepts", self.host.scheduler.accepts)
        self.patch.setattr(readiness, "UP_TIME", -1.0)
        self.patch.setattr(concurrent.futures, "ThreadPoolExecutor", InTurn)
        self.patch.setattr(drain_worker, "spawn", lambda app: None)
        self.patch.setattr(cancellation, "no_way_back", lambda: None)
        notify = manager.notify  # the builders would ask the docker of this machine for images
        self.patch.setattr(manager, "notify", lambda hook, **named: hook == "images_unused" or notify(hook, **named))
        self.now = 1_000_000.0
        self.patch.setattr(drain.time, "time", lambda: self.now)
        self.patch.setattr(drain.time, "sleep", self.sleep)
        self.patch.setattr(drain_worker, "PATIENCE", 5)
        schema.check(store.open_store())
        expose_store(store.open_store(), self.weather, self.patch)
        self.serving: bool | None = False  # None: a command that would change it has ended early
        self.seen: set[int] = set()
        self.images = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def teardown(self) -> None:
        self.weather.clear()
        self.patch.undo()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- one command, in one process ---------------------------------------------------------------------------------

    def command(self, function, *, wanted=None, serves: bool | None = None, weather=({}, 0.0, 0)) -> None:
        """Run `function` as a process of its own under the weather. `wanted` edits the app's document as it would.

        `serves` is whether the app serves once this has succeeded; None: as before.
        """
        before = apps.load(APP).document
        after = copy.deepcopy(before)
        if wanted:
            wanted(after)
        if serves is not None and serves != self.serving:
            self.serving, target = None, serves
        else:
            target = self.serving
        self.weather.brew(*weather)
        try:
            function()
            done, said = True, None
        except (errors.MinipaasError, Killed) as error:
            done, said = False, error
        met = self.weather.met
        self.weather.clear()
        assert done or met, f"what fails has met something: {said!r}"
        self.check_routes(met)
        if done and not met:
            self.serving = target
            assert apps.load(APP).document == after, "a change that succeeds is in the document"
        self.after_reboot(met)
        self.recovered(before, after, met)

    def recovered(self, before: dict, after: dict, met: list[str]) -> None:
        """The next process recovers, and nothing half done is left."""
        with locks.app_lock(APP, frozen_too=True):
            pass
        document, live = apps.load(APP).document, releases.live(APP)
        assert document in (before, after), f"either all of a change or nothing of it: {met}"
        assert "release" not in journal.read(APP), met
        if live is None:
            assert not self.host.scheduler.containers and not self.host.router.table, met
            return
        if document.get("stopped") or self.serving is None:
            return
        app = apps.load(APP)
        wished = compose.release_like(app, 0, live, "")
        assert not compose.differs(wished, live), f"what is live is what was said: {met}"
        assert self.host.router.applied(APP) == live.name, met
        waiting = drain.waiting(APP)
        counting = [name for name in self.host.scheduler.names() if name not in waiting]
        assert counting == self.host.scheduler.adopted(), f"no stray process: {met}"
        assert len(counting) == sum(live.formation.values()), met
        assert len(self.host.routed(APP)) == live.formation["web"], met

    def check_routes(self, met: list[str]) -> None:
        if self.serving:
            assert APP in self.host.router.table, f"the site has lost its route: {met}"
            route = self.host.router.table[APP]
            assert route.backends, f"the site leads to nothing: {met}"
        if APP in self.host.router.table and releases.live(APP):
            by_address = {p.address: p for p in self.host.scheduler.containers.values()}
            for address, *_ in self.host.router.table[APP].backends:
                assert address in by_address, f"the site leads to a process that is gone: {met}"
                process = by_address[address]
                assert process.state == "running" and process.adopted, f"{process}: {met}"
                assert process.name not in drain.waiting(APP), f"{process} is on its way out: {met}"

    def after_reboot(self, met: list[str]) -> None:
        """Were the host to reboot now, the same processes would serve: what is routed comes back by itself."""
        saved = dict(self.host.scheduler.containers)
        self.host.scheduler.reboot()
        self.check_routes([*met, "reboot"])
        self.host.scheduler.containers = saved

    # -- what people type --------------------------------------------------------------------------------------------

    @initialize(kind=st.sampled_from([0, 1]))
    def first_deploy(self, kind):
        apps.write(APP)
        self.deploy_of(kind, ({}, 0.0, 0))

    def deploy_of(self, kind, weather):
        self.images += 1
        image = f"sha256:{self.images}"
        self.command(
            lambda: self.host.deploy(APP, COMMANDS[kind], image),
            wanted=lambda document: document.pop("stopped", None),
            serves=True,
            weather=weather,
        )

    @rule(kind=st.sampled_from([0, 1]), strikes=strikes, rate=rates, seed=seeds)
    def deploy(self, kind, strikes, rate, seed):
        self.deploy_of(kind, (strikes, rate, seed))

    @rule(count=st.integers(1, 4), kind=st.sampled_from(["web", "worker"]), strikes=strikes, rate=rates, seed=seeds)
    def scale(self, count, kind, strikes, rate, seed):
        edit = put("formation", kind, count)
        self.command(lambda: change.change(APP, "scale", edit), wanted=edit, weather=(strikes, rate, seed))

    @rule(value=st.sampled_from("123"), strikes=strikes, rate=rates, seed=seeds)
    def set_config(self, value, strikes, rate, seed):
        edit = put("config", "A", value)
        self.command(lambda: change.change(APP, "config", edit), wanted=edit, weather=(strikes, rate, seed))

    @rule(name=st.sampled_from(["a.test", "b.test"]), strikes=strikes, rate=rates, seed=seeds)
    def set_domains(self, name, strikes, rate, seed):
        edit = put("domains", "names", [name])
        self.command(lambda: change.change(APP, "domains", edit), wanted=edit, weather=(strikes, rate, seed))

    @rule(strikes=strikes, rate=rates, seed=seeds)
    def restart(self, strikes, rate, seed):
        self.command(lambda: change.change(APP, "restart", force=True), weather=(strikes, rate, seed))

    @rule(strikes=strikes, rate=rates, seed=seeds)
    def stop(self, strikes, rate, seed):
        def edit(document):
            document["stopped"] = True

        self.command(lambda: lifecycle.stop(APP), wanted=edit, serves=False, weather=(strikes, rate, seed))

    @rule(strikes=strikes, rate=rates, seed=seeds)
    def start(self, strikes, rate, seed):
        def edit(document):
            document.pop("stopped", None)

        serves = True if releases.live(APP) else None
        if serves:
            self.command(lambda: lifecycle.start(APP), wanted=edit, serves=True, weather=(strikes, rate, seed))

    @rule(strikes=strikes, rate=rates, seed=seeds)
    def restore(self, strikes, rate, seed):
        self.command(lambda: restore.restore_processes(APP), weather=(strikes, rate, seed))

    @rule(strikes=strikes, rate=rates, seed=seeds)
    def reroute(self, strikes, rate, seed):
        self.command(lambda: lifecycle.reroute(APP), weather=(strikes, rate, seed))

    # -- what happens by itself --------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([5, 60]), strikes=strikes, rate=rates, seed=seeds)
    def retire_goes_on(self, seconds, strikes, rate, seed):
        self.now += seconds
        self.command(lambda: drain_worker.run(APP), weather=(strikes, rate, seed))

    @precondition(lambda self: self.serving)
    @rule()
    def reboot(self):
        """The boot unit restores what docker could not bring back."""
        self.host.scheduler.reboot()
        self.check_routes(["reboot"])
        self.command(lambda: restore.restore_processes(APP))

    @precondition(lambda self: self.serving)
    @rule(which=st.integers(0, 9))
    def somebody_removes_a_container(self, which):
        names = self.host.scheduler.names()
        del self.host.scheduler.containers[names[which % len(names)]]
        self.command(lambda: restore.restore_processes(APP))
        live = releases.live(APP)
        states = [p.state for p in self.host.scheduler.containers.values() if p.name not in drain.waiting(APP)]
        assert states.count("running") == sum(live.formation.values()) and set(states) <= set(plan.ALIVE)

    # -- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def ledger_grows(self):
        if self.weather.dead or APP not in apps.names():
            return
        numbers = [release.number for release in releases.all_of(APP)]
        assert len(numbers) == len(set(numbers)) and self.seen <= set(numbers), "a release has vanished"
        fresh = set(numbers) - self.seen
        assert not fresh or min(fresh) > max(self.seen, default=0), "a number was given twice"
        self.seen = set(numbers)
        live = releases.live(APP)
        assert live is None or live.number in numbers


Chaos.TestCase.settings = settings(
    max_examples=4000 if ALL else 60,
    stateful_step_count=30 if ALL else 20,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestChaos = pytest.mark.timeout(3600 if ALL else 300)(Chaos.TestCase)

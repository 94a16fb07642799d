"""What a change would do, step by step, without doing it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import change, compose, drain, launch
from minipaas_lib.deploy.plan import Plan, make_plan
from minipaas_lib.model.difference import Difference, difference, ports, short
from minipaas_lib.model.release import Release
from minipaas_lib.records import apps, releases


@dataclass(frozen=True)
class Preview:
    """The release that a change would make, and the steps to it."""

    app: str
    live: Release | None
    release: Release | None = None  # None: no release would be made
    plan: Plan = Plan((), (), ())
    differs: Difference = field(default_factory=Difference)
    builds: str = ""  # the commit that would be built first
    later: str = ""  # why there is no release

    def to_document(self) -> dict:
        """The preview as shown in JSON."""
        return {
            "app": self.app,
            "live": self.live.name if self.live else None,
            "release": self.release.name if self.release else None,
            "reason": self.release.reason if self.release else None,
            "start": [spec.name for spec in self.plan.start],
            "keep": [process.name for process in self.plan.keep],
            "retire": [process.name for process in self.plan.retire],
            "differences": self.differs.to_document(),
            "steps": self.steps(),
        }

    def steps(self) -> list[str]:
        """One sentence for each step, in order."""
        if self.release is None:
            return [self.later]
        release, sentences = self.release, []
        if self.builds:
            sentences.append(f"build commit {self.builds[:8]}")
        sentences.append(f"write release {release.name}: {release.reason}")
        sentences += [f"  {part}: {how}" for part, how in self.differs.lines()]
        fresh = release.processes == release.number
        if fresh and release.tasks.get("release"):
            sentences.append(f"run the release task: {release.tasks['release']}")
        image = "the new image" if self.builds else f"image {short(release.image)}"
        down = self._stopped_first(release)
        for process_type, names in down.items():
            sentences.append(
                f"stop {', '.join(names)} first (checks:disable): {process_type} is down until its new processes are up"
            )
        sentences += [f"start {spec.name} from {image}" for spec in self.plan.start]
        waited = [spec for spec in self.plan.start if launch.checks_of(release, spec.process_type) != launch.SKIPPED]
        sentences += [f"check {spec.name}: {_check(spec.port)}" for spec in waited]
        sentences += [f"keep {process.name}" for process in self.plan.keep]
        sentences.append(_route(release, self.plan))
        sentences.append(f"make {release.name} live")
        gone = {name for names in down.values() for name in names}
        sentences += [
            f"retire {process.name}{_drain(process, release)}"
            for process in self.plan.retire
            if process.name not in gone
        ]
        return sentences

    def _stopped_first(self, release: Release) -> dict[str, list[str]]:
        """Process type -> the old processes that are stopped before new ones start (see launch.stop_first)."""
        stopped: dict[str, list[str]] = {}
        starting = {spec.process_type for spec in self.plan.start}
        for process in self.plan.retire:
            if process.process_type in starting and launch.checks_of(release, process.process_type) == launch.DISABLED:
                stopped.setdefault(process.process_type, []).append(process.name)
        return stopped


def preview(
    name: str,
    reason: str,
    edit: Callable | None = None,
    restart: bool = True,
    force: bool = False,
    build_of: Release | None = None,
    builds: str = "",
) -> Preview:
    """Preview change.change with the same arguments. Takes no lock and no number, and writes nothing.

    `builds` is the commit that would be built first. Raises what composing a release raises.
    """
    base, live = apps.load(name), releases.live(name)
    app = change.edited(base, edit)
    if live is None:
        return Preview(name, None, later=f"{name} is not deployed: this takes effect with its first deploy")
    if not restart or app.stopped:
        why = "is stopped: this takes effect once it is started"
        if not app.stopped:
            why = "keeps running as it is: this takes effect with the next release"
        return Preview(name, live, later=f"{name} {why}")
    release = compose.release_like(app, 0, live, reason, force or bool(builds), build_of)
    if not force and not builds and not compose.differs(release, live):
        return Preview(
            name, live, later=f"nothing that runs would change, so there is no new release after {live.name}"
        )
    release = change.with_number(release, releases.coming_number(name))
    plan = make_plan(release, active_engines.scheduler().processes(name), drain.waiting(name))
    return Preview(name, live, release, plan, difference(live, release), builds)


def _check(port: int) -> str:
    return f"port {port} accepts" if port else "it stays up"


def _route(release: Release, plan: Plan) -> str:
    if not release.routing.get("enabled", True):
        return "route nothing: the proxy is disabled"
    kinds = [*(spec.process_type for spec in plan.start), *(process.process_type for process in plan.keep)]
    count = kinds.count("web")
    domains = ", ".join(release.routing.get("domains", [])) or "no domain"
    listeners = ", ".join(f"{scheme}:{host}" for scheme, host, _ in ports(release))
    return f"route {domains} ({listeners}) to {count} web process{'' if count == 1 else 'es'} in one change"


def _drain(process, release: Release) -> str:
    if process.process_type != "web":
        return " at once"
    seconds = release.options.get("web", {}).get("wait_to_retire", drain.DRAIN)
    return f" after {seconds} s for its requests"

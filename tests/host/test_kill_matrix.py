"""kill -9 before and after every step that a command records, and at any other moment; then all must be whole.

`./tests/run --all` tries every point and 200 random moments; the normal run a sample by a seed that it prints
(MINIPAAS_SEED repeats one).
"""

import contextlib
import json
import os
import pwd
import random
import re
import shutil
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
from conftest import Load, Repo, docker, wait_for, web

from tests import kill_points
from tests.sampling import ALL, SEED, sample

pytestmark = [pytest.mark.serial, pytest.mark.one_host]  # it kills whatever runs as paas

SAMPLE, MOMENTS = 6, 200 if ALL else 8
LIMIT = 14400 if ALL else 900  # seconds; the sample takes one or two minutes
ROOT = Path("/var/lib/minipaas")
FAULTS, SEEN = ROOT / kill_points.FAULTS, ROOT / f"{kill_points.FAULTS}.seen"
LIVE = ROOT / "nginx" / "live"
PROCFILE = "release: true\nweb: exec httpd -f -p $PORT -h /www\nworker: while true; do sleep 1; done\n"


class Site:
    """An app that is changed again and again, and killed at it."""

    def __init__(self, host, name: str, folder: Path):
        self.host, self.name, self.folder = host, name, folder
        self.repo = Repo(host, folder / "repo", name, **web("turn 0"), Procfile=PROCFILE)
        self.turn = 0
        host.ssh("apps:create", name)
        host.ssh("checks:set", name, "wait-to-retire", "1")
        self.repo.push()
        host.ssh("ps:scale", name, "worker=1")
        self.address = host.url_host(name)

    # what is done to it; each does something at every turn

    def deploy(self) -> list[str]:
        self.repo.commit(www___index__html=f"turn {self.turn}")
        return ["push"]

    def rollback(self) -> list[str]:
        def runs(release: dict) -> tuple:
            return release["image"], release["config"]

        live = self.live()
        others = [
            release for release in self.releases() if release["status"] == "released" and runs(release) != runs(live)
        ]
        return ["releases:rollback", self.name, f"v{others[-1]['number']}"]

    def scale_up(self) -> list[str]:
        if self.live()["formation"]["web"] != 1:
            self.host.ssh("ps:scale", self.name, "web=1")
        return ["ps:scale", self.name, "web=2"]

    def scale_down(self) -> list[str]:
        if self.live()["formation"]["web"] != 2:
            self.host.ssh("ps:scale", self.name, "web=2")
        return ["ps:scale", self.name, "web=1"]

    def config(self) -> list[str]:
        return ["config:set", self.name, f"TURN={self.turn}"]

    def domain(self) -> list[str]:
        return ["domains:set", self.name, self.address, f"t{self.turn}.{self.name}.test"]

    def restart(self) -> list[str]:
        return ["ps:restart", self.name]

    def stop(self) -> list[str]:
        return ["ps:stop", self.name]

    def start(self) -> list[str]:
        return ["ps:start", self.name]

    def destroy(self) -> list[str]:
        return ["apps:destroy", self.name, "--force"]

    def restore(self) -> list[str]:
        return ["apps:restore", self.name]

    def words(self, operation: str) -> list[str]:
        self.turn += 1
        return getattr(self, operation)()

    def begin(self, words: list[str]) -> subprocess.Popen:
        if words == ["push"]:
            environment = os.environ | {"GIT_SSH_COMMAND": " ".join(self.host.ssh_command())}
            command = ["git", "push", "-q", "-f", "paas", "main"]
        else:
            environment, command = None, [*self.host.ssh_command(), "paas@127.0.0.1", " ".join(words)]
        return subprocess.Popen(
            command,
            cwd=self.repo.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def do(self, operation: str, *faults: str) -> str:
        """Do it, killed at the point that the first of `faults` names; what was said."""
        words = self.words(operation)
        FAULTS.write_text("".join(f"{self.name} {fault}\n" for fault in faults))
        shutil.chown(FAULTS, "paas", "paas")
        try:
            said = self.begin(words).communicate(timeout=120)[0]
            left = FAULTS.read_text()
        finally:
            FAULTS.unlink()
        assert f"{self.name} {faults[0]}\n" not in left or faults[0] == "0 never", f"it was not killed there: {said}"
        return said

    def points(self, operation: str) -> list[str]:
        """All points of an operation, by doing it once undisturbed."""
        SEEN.unlink(missing_ok=True)
        said = self.do(operation, "0 never")
        seen = [line.split()[1:3] for line in SEEN.read_text().splitlines() if line.split()[0] == self.name]
        SEEN.unlink()
        assert seen, said
        return [f"{number} {when}" for number, when in seen]

    def next_command(self) -> str:
        """Any command that changes the app recovers it; this one changes nothing more. What it said."""
        return self.host.ssh("checks:set", self.name, "wait-to-retire", "1", "--wait=60").stderr

    # what is there

    def state(self, path: str) -> str:
        return (ROOT / "state" / "apps" / self.name / path).read_text()

    def releases(self) -> list[dict]:
        folder = ROOT / "state" / "apps" / self.name / "releases"
        return sorted(
            (tomllib.loads(path.read_text()) for path in folder.iterdir()), key=lambda release: release["number"]
        )

    def live(self) -> dict:
        return tomllib.loads(self.state(f"releases/{int(self.state('live'))}.toml"))

    def retiring(self) -> set[str]:
        with contextlib.suppress(FileNotFoundError):
            return set(tomllib.loads(self.state("retiring.toml")))
        return set()

    def check(self, where: str) -> None:
        """All is whole, and nothing is left over."""
        live = self.live()
        assert {release["status"] for release in self.releases()} <= {"released", "failed"} and live[
            "status"
        ] == "released", where
        self.check_processes(live, where)
        self.check_files(where)
        # docker may finish an image, or make a container, whose client is dead, after the next command has looked
        if self.unused_images() or self.one_offs():
            self.do("deploy", "0 never")
            live = self.live()
            assert not self.unused_images(), f"{where}: an image of no release, that the next deploy leaves"
            assert not self.one_offs(), f"{where}: a one-off container, that the next deploy leaves"
        self.check_repository(live, where)
        assert self.host.ssh("apps:locked", self.name, ok=False).returncode == 1, where

    def one_offs(self) -> list[str]:
        """The containers of the app's commands and tasks."""
        return docker("ps", "-aq", "--filter", f"label=minipaas.run={self.name}").split()

    def unused_images(self) -> set[str]:
        """The images of the app that no release has."""
        images = docker("images", "--no-trunc", "-q", "--filter", f"label=minipaas.app={self.name}").split()
        return {*images} - {release.get("image") for release in self.releases()}

    def check_processes(self, live: dict, where: str) -> None:
        stopped = tomllib.loads(self.state("app.toml")).get("stopped", False)
        retiring, wanted = (
            self.retiring(),
            {} if stopped else {kind: count for kind, count in live["formation"].items() if count},
        )
        names = self.host.containers(self.name, every=True)
        found = json.loads(docker("inspect", *names, ok=False)) if names else []  # one that retires may go meanwhile
        there = [one for one in found if one["Name"].lstrip("/") not in retiring]
        counts: dict[str, int] = {}
        for one in there:
            kind = one["Config"]["Labels"]["minipaas.process"]
            counts[kind] = counts.get(kind, 0) + 1
            assert one["State"]["Running"] and one["HostConfig"]["RestartPolicy"]["Name"] == "always", (
                where,
                one["Name"],
            )
        assert counts == wanted, (where, names, retiring)
        addresses = [
            end["IPAddress"]
            for one in found
            for end in one["NetworkSettings"]["Networks"].values()
            if one["State"]["Running"]
        ]
        assert len(set(addresses)) == len(addresses), where
        web_addresses = {
            end["IPAddress"]
            for one in there
            if one["Config"]["Labels"]["minipaas.process"] == "web"
            for end in one["NetworkSettings"]["Networks"].values()
        }
        routed = set(re.findall(r"server ([0-9.]+):\d+", (LIVE / f"{self.name}.conf").read_text()))
        assert routed == web_addresses, where

    def check_files(self, where: str) -> None:
        assert not (ROOT / "state" / "apps" / self.name / "rollout.toml").exists(), where
        assert not [path for path in (ROOT / "work").iterdir() if path.name.startswith(self.name + ".")], where
        strays = [
            path.name
            for path in LIVE.iterdir()
            if not path.name.endswith(".conf") or path.name.startswith("_port_") and path.name != "_port_80.conf"
        ]
        apps = {path.name for path in (ROOT / "state" / "apps").iterdir()}
        strays += [
            path.name for path in LIVE.glob("*.conf") if path.stem not in apps and not path.name.startswith("_port_")
        ]
        assert not strays, where

    def check_repository(self, live: dict, where: str) -> None:
        folder = ROOT / "repos" / f"{self.name}.git"
        left = [
            path
            for path in folder.rglob("*")
            if path.name.endswith(".lock") or path.name.startswith(("tmp_objdir", "shallow_"))
        ]
        assert not left, (where, left)
        kept = {path.name for path in (folder / "refs" / "minipaas").glob("v*")}
        assert kept <= {f"v{release['number']}" for release in self.releases()}, where
        clone = self.folder / "clone"
        shutil.rmtree(clone, ignore_errors=True)
        self.repo.git("clone", "-q", f"ssh://paas@127.0.0.1:{self.host.port}/{self.name}", str(clone))
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, capture_output=True, text=True).stdout.strip()
        assert head == live["commit"], f"{where}: a clone yields another commit than the live one"


@pytest.fixture
def site(host, app, tmp_path):
    made = Site(host, app, tmp_path)
    with kill_points.program():
        yield made
    for path in (FAULTS, SEEN):
        path.unlink(missing_ok=True)


@pytest.fixture
def say(capsys):
    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", flush=True)

    return say


SERVING = ["deploy", "rollback", "scale_up", "scale_down", "config", "domain", "restart"]
NOT_SERVING = [("stop", "start"), ("destroy", "restore")]


def has(host, command: str) -> bool:
    return host.ssh(command, "--help", ok=False).returncode == 0


@pytest.mark.timeout(LIMIT)
def test_killed_at_every_recorded_step(host, site, say):
    operations = [name for name in SERVING if name != "rollback" or has(host, "releases:rollback")]
    with Load(host, site.address, threads=2).running() as load:
        points = [(operation, point) for operation in operations for point in site.points(operation)]
        tried = sample(points, SAMPLE)
        say(f"{len(points)} points in {', '.join(operations)}; trying {len(tried)} of them, seed {SEED}")
        for operation, point in tried:
            where = f"{operation} killed at {point} (seed {SEED})"
            said = site.do(operation, point)
            assert not load.failed, (where, load.failed[:3], said)
            recovered = site.next_command()
            site.check(f"{where}\n{said}\n{recovered}")
            assert not load.failed, (where, load.failed[:3], said, recovered)
        site.do("deploy", "0 never")
        assert host.get(site.address) == (200, f"turn {site.turn}")
    wait_for(
        lambda: (
            not site.retiring() and not set(host.containers(site.name, every=True)) - set(host.containers(site.name))
        ),
        30,
    )
    say(f"{len(tried)} of {len(points)} points tried while {load.done} requests were served, none failed")


@pytest.mark.timeout(LIMIT)
def test_killed_at_every_step_of_what_takes_it_away_and_brings_it_back(host, site, say):
    points = []
    for there, back in NOT_SERVING:
        points += [(there, point) for point in site.points(there)] + [(back, point) for point in site.points(back)]
    tried = sample(points, SAMPLE)
    say(f"{len(points)} points in stop, start, destroy and restore; trying {len(tried)} of them, seed {SEED}")
    for operation, point in tried:
        where = f"{operation} killed at {point} (seed {SEED})"
        pair = next(pair for pair in NOT_SERVING if operation in pair)
        if operation == pair[1]:
            site.begin(site.words(pair[0])).communicate(timeout=60)
        said = site.do(operation, point)
        if operation == "destroy":
            assert host.ssh("apps:exists", site.name, ok=False).returncode in (0, 1)
            host.ssh("checks:set", site.name, "wait-to-retire", "1", ok=False)
            assert site.name not in os.listdir(ROOT / "state" / "apps"), (where, said)
            assert not (LIVE / f"{site.name}.conf").exists() and host.containers(site.name, every=True) == [], where
            assert not (ROOT / "repos" / f"{site.name}.git").exists(), where
            assert not [path for path in (ROOT / "work").iterdir() if path.name.startswith(site.name + ".")], where
            host.ssh("apps:restore", site.name)
        else:
            recovered = site.next_command()
            site.check(f"{where}\n{said}\n{recovered}")
            if tomllib.loads(site.state("app.toml")).get("stopped"):
                host.ssh("ps:start", site.name)
        site.check(where)
        assert host.get(site.address)[0] == 200, where
    say(f"{len(tried)} of {len(points)} points tried")


@pytest.mark.timeout(LIMIT)
def test_killed_at_every_step_of_a_renaming(host, site, other_app, say):
    """It serves under one name or the other, at every moment; a command on either name finishes or undoes it."""
    domain, names = f"kept.{site.name}.test", [site.name, other_app]
    host.ssh("domains:add", site.name, domain)

    def rename(line: str) -> str:
        old, new = site.name, next(name for name in names if name != site.name)
        FAULTS.write_text(line.replace("OLD", old).replace("NEW", new))
        shutil.chown(FAULTS, "paas", "paas")
        try:
            return site.begin(["apps:rename", old, new]).communicate(timeout=120)[0]
        finally:
            FAULTS.unlink()

    def settle(first: str) -> str:
        """A command on each name; what they said. Then one of the names is an app."""
        order = sorted(names, key=lambda name: name != first)
        said = [host.ssh("checks:set", name, "wait-to-retire", "1", "--wait=60", ok=False).stderr for name in order]
        there = [name for name in names if host.ssh("apps:exists", name, ok=False).returncode == 0]
        assert len(there) == 1, (there, said)
        site.name = there[0]
        return "\n".join(said)

    with Load(host, domain, threads=2).running() as load:
        old = site.name
        said = rename("OLD 0 never\n")
        seen = [line.split()[:3] for line in SEEN.read_text().splitlines()]
        SEEN.unlink()
        settle(old)
        assert site.name != old, said
        points = [f"{'OLD' if app == old else 'NEW'} {number} {when}\n" for app, number, when in seen if app in names]
        tried = sample(points, SAMPLE)
        say(f"{len(points)} points in apps:rename; trying {len(tried)} of them, seed {SEED}")
        for turn, point in enumerate(tried):
            where = f"apps:rename {site.name} killed at {point.strip()} (seed {SEED})"
            said = rename(point)
            assert not load.failed, (where, load.failed[:3], said)
            recovered = settle(names[turn % 2])
            site.check(f"{where}\n{said}\n{recovered}")
            assert not load.failed, (where, load.failed[:3], said, recovered)
        site.repo.git("remote", "set-url", "paas", f"ssh://paas@127.0.0.1:{host.port}/{site.name}")
        site.do("deploy", "0 never")
        assert host.get(domain) == (200, f"turn {site.turn}")
    wait_for(
        lambda: all(len(host.containers(name, every=True)) == (2 if name == site.name else 0) for name in names), 30
    )
    say(f"{len(tried)} of {len(points)} points tried while {load.done} requests were served, none failed")


def of_paas() -> list[int]:
    """The processes of the user paas: sshd's child, git, the hook, docker's client, what retires."""
    user, found = pwd.getpwnam("paas").pw_uid, []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.stat(f"/proc/{entry}").st_uid == user:
                found.append(int(entry))
    return found


def pushing() -> bool:
    """Whether git-receive-pack still runs, whose client may have gone."""
    return subprocess.run(["pgrep", "-f", "^git.receive-pack"], capture_output=True).returncode == 0


def shoot(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(LIMIT)
def test_killed_at_any_moment(host, site, say):
    """Half of the time all of the command's processes are killed, and what retires old ones too; else one of them."""
    dice = random.Random(SEED)
    operations = [name for name in SERVING if name != "rollback" or has(host, "releases:rollback")]
    lasts: dict[str, float] = {}
    with Load(host, site.address, threads=2).running() as load:
        for operation in operations:
            words, begun = site.words(operation), time.monotonic()
            site.begin(words).communicate(timeout=120)
            lasts[operation] = time.monotonic() - begun
        killed = 0
        for turn in range(MOMENTS):
            operation = operations[0] if turn % 2 else dice.choice(operations)
            delay, everything = dice.uniform(0, lasts[operation]), dice.random() < 0.5
            where = (
                f"{operation} killed after {delay:.3f} s, {'all' if everything else 'one'} (turn {turn}, seed {SEED})"
            )
            running = site.begin(site.words(operation))
            time.sleep(delay)
            targets = of_paas()
            shoot(targets if everything else [dice.choice(targets)] if targets else [])
            killed += bool(targets)
            said = running.communicate(timeout=120)[0]
            wait_for(lambda: not pushing(), 60)  # what is left of it when only one was killed
            recovered = site.next_command()
            site.check(f"{where}\n{said}\n{recovered}")
            assert not load.failed, (where, load.failed[:3], said, recovered)
        site.do("deploy", "0 never")
        assert host.get(site.address) == (200, f"turn {site.turn}")
    say(
        f"{killed} of {MOMENTS} random moments hit something, seed {SEED}; {load.done} requests were served, none "
        "failed"
    )


def test_what_retires_old_processes_may_be_killed(host, site):
    """The next command goes on with it; docker and nginx may restart meanwhile."""
    host.ssh("checks:set", site.name, "wait-to-retire", "3")
    host.ssh("ps:restart", site.name)
    assert site.retiring()
    wait_for(lambda: not (shoot(of_paas()) or of_paas()), 5, 0.01)
    time.sleep(3.5)
    assert site.retiring(), "nobody is left to do it"
    host.ssh("checks:set", site.name, "wait-to-retire", "1")
    wait_for(lambda: not site.retiring() and len(host.containers(site.name, every=True)) == 2, 15)


def test_a_commit_that_went_live_is_not_lost_with_its_push(host, site, tmp_path):
    """The hook has ended, and git is killed before it moves the branch: the next command moves it."""
    site.repo.commit(www___index__html="late")
    hook = ROOT / "repos" / f"{site.name}.git" / "hooks" / "pre-receive"
    text = hook.read_text()
    hook.write_text(text.replace("exec ", "").rstrip() + '\nstatus=$?\nkill -9 "$PPID"\nexit "$status"\n')
    assert site.repo.push(ok=False).returncode != 0
    hook.write_text(text)
    assert host.get(site.address) == (200, "late")
    site.next_command()
    site.check("killed between the hook and the branch")
    assert site.repo.push().returncode == 0

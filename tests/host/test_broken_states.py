"""Every command that answers for a state, against every state that somebody can break by hand.

What it says is true, and what it advises, typed as it stands, mends it. `./tests/run --all` walks all of it, the normal
run a sample by a seed that it prints (MINIPAAS_SEED repeats one).
"""

import itertools
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Repo, docker, wait_for, web, word
from test_reboot import running, start_docker, start_nginx, stop_docker, stop_nginx

from tests.sampling import ALL, SEED, sample

pytestmark = [pytest.mark.restarts_docker, pytest.mark.one_host]

SAMPLE = 2
PAGE = "the page of the walk"
COMMANDS = ("ps:report", "doctor", "ps:start", "ps:restart", "ps:restore", "ps:rebuild", "ps:stop", "apps:destroy")
ROUNDS = 5  # pieces of advice that may be needed one after the other


class Site:
    """An app of one process, and what the world sees of it."""

    def __init__(self, host, folder):
        self.host, self.name = host, "walk-" + word()
        start = web(PAGE, command='exec httpd -f -p "0.0.0.0:$PORT" -h /www')  # in a file, which a hand can spoil
        Repo(host, folder, self.name, **start).push()
        host.ssh("checks:set", self.name, "wait-to-retire", "1")
        self.domain = host.url_host(self.name)
        self.document = Path(f"/var/lib/minipaas/state/apps/{self.name}/app.toml")
        self.text = ""

    def answers(self) -> tuple[int, str]:
        """Status and body of its page; 0 where nothing listens."""
        try:
            return self.host.get(self.domain, timeout=3)
        except OSError:
            return 0, ""

    def serves(self) -> bool:
        return self.answers() == (200, PAGE)

    def states(self) -> dict[str, str]:
        """Container -> docker's word for it, of those that come back by themselves."""
        names = docker("ps", "-aq", "--filter", f"label=minipaas.app={self.name}").split()
        shown = (
            docker("inspect", "-f", "{{.Name}} {{.HostConfig.RestartPolicy.Name}} {{.State.Status}}", *names)
            if names
            else ""
        )
        rows = [line.split() for line in shown.splitlines()]
        return {name.lstrip("/"): state for name, policy, state in rows if policy != "no"}

    def container(self) -> str:
        (name,) = self.states()
        return name

    def findings(self) -> list[dict]:
        """What doctor has to complain of, about this app and what it needs."""
        found = json.loads(self.host.ssh("doctor", "--format", "json", ok=False).stdout)
        parts = (f"app {self.name}", "docker", "nginx", "store", "network")
        return [finding for finding in found if not finding["ok"] and finding["part"].startswith(parts)]

    def report(self) -> dict:
        return json.loads(self.host.ssh("ps:report", self.name, "--format", "json").stdout)

    def is_well(self) -> bool:
        return self.serves() and self.report()["running"] == "true" and not self.findings()


# -- states made by hand -------------------------------------------------------------------------------------------


def container_removed(site):
    docker("rm", "-f", site.container())


def image_removed(site):
    image = docker("inspect", "-f", "{{.Image}}", site.container()).strip()
    docker("rm", "-f", site.container())
    docker("rmi", "-f", image)


def exited(site):
    docker("stop", "-t", "1", site.container())


def paused(site):
    docker("pause", site.container())


def restart_loop(site):
    name = site.container()
    docker("exec", name, "sh", "-c", "echo exit 3 >/start; kill -9 -1", ok=False)
    wait_for(lambda: int(docker("inspect", "-f", "{{.RestartCount}}", name)) >= 3, 20)


def docker_away(site):
    stop_docker()


def nginx_away(site):
    stop_nginx()


def document_broken(site):
    site.text = site.document.read_text()
    site.document.write_text(site.text + "= oops\n")


# state -> (what breaks it, what ps:report says runs, words of its status, words of doctor)
STATES = {
    "container removed": (container_removed, "false", "", "1 of 1 are not running: 1 web"),
    "image removed": (image_removed, "false", "", "the image of v.* is gone from this host"),
    "exited": (exited, "false", "exited with exit code", "web.1 ended with exit code"),
    "paused": (paused, "false", "paused", "web.1 is paused"),
    "restart loop": (
        restart_loop,
        "true|false",
        "restarted .* times since .* exit code 3",
        "restarted .* times since .* exit code 3",
    ),
    "docker away": (docker_away, "unknown: docker does not answer", "", "docker does not answer"),
    "nginx away": (nginx_away, "true", "running", "it does not run"),
    "document broken": (document_broken, None, "", "app.toml cannot be read, line"),
}


# -- following advice ----------------------------------------------------------------------------------------------


def follow(site, advice: str):
    """Type what is advised, and return the last that was typed: over ssh, or on the host where that is said."""
    assert advice, "nothing is advised"
    done = None
    for line in re.split(", then: ", advice):
        on_host = re.fullmatch("(?:as root: |sudo )(.+)", line)
        if on_host:
            done = subprocess.run(
                on_host[1], shell=True, capture_output=True, text=True, timeout=120, env=os.environ | editor(site)
            )
        else:
            done = site.host.ssh(raw=line, ok=False)
        last_resort(site, line)
    return done


def editor(site) -> dict:
    """An `editor` in PATH that puts right what this test has spoiled, as a person would."""
    folder = Path("/tmp/minipaas-walk")
    folder.mkdir(exist_ok=True)
    (folder / "good").write_text(site.text)
    script = folder / "editor"
    script.write_text(f'#!/bin/sh\n[ "$1" = +{len(site.text.splitlines()) + 1} ] && cat {folder}/good >"$2"\n')
    script.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def last_resort(site, line: str) -> None:
    """Without systemd there is no systemctl; the rest of such a line is what it means."""
    if "systemctl start docker" in line and not running("dockerd"):
        start_docker()
    if "systemctl start nginx" in line and not running("nginx"):
        start_nginx()


def hint_of(done) -> str:
    """The last line of what a command said on stderr: the next thing to type."""
    return done.stderr.rstrip().splitlines()[-1].strip()


def mend(site, done, words: list[str]):
    """Follow the advice of a command that was refused, then give it again, until it does its work."""
    for _ in range(ROUNDS):
        if done.returncode == 0:
            return done
        followed = follow(site, hint_of(done))
        if followed.returncode:
            done = followed
            continue
        done = site.host.ssh(*words, ok=False)
    raise AssertionError(f"{words} is still refused: {done.stderr}")


def heal(site) -> None:
    """Do what doctor says until it has nothing to say."""
    for _ in range(ROUNDS):
        found = site.findings()
        if not found:
            break
        follow(site, found[0]["fix"])
    wait_for(site.is_well, 10)


# -- the walk ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(host, tmp_path_factory):
    made = Site(host, tmp_path_factory.mktemp("walk") / "repo")
    yield made
    subprocess.run(["minipaas", "apps:destroy", made.name, "--force", "--now"], capture_output=True, timeout=240)


@pytest.fixture
def safe(site):
    """Whatever fails leaves a host that the next test can use."""
    site.text = site.document.read_text()
    yield
    if site.document.exists():
        site.document.write_text(site.document.read_text().replace("= oops\n", ""))
    if not running("dockerd"):
        start_docker()
    if not running("nginx"):
        start_nginx()


PAIRS = list(itertools.product(STATES, COMMANDS))


@pytest.mark.timeout(3600 if ALL else 300)
def test_the_walk(site, safe):
    tried = sample(PAIRS, SAMPLE)
    print(f"{len(PAIRS)} pairs of a broken state and a command; trying {len(tried)}, seed {SEED}")
    failures = []
    for state, command in tried:
        begun = time.monotonic()
        try:
            step(site, state, command)
        except Exception as error:  # the walk goes on, and tells of all at its end
            failures.append(f"== {state}, {command} (seed {SEED}): {type(error).__name__}: {error}")
            print(failures[-1], flush=True)
            repair(site)
        print(f"{state}, {command}: {time.monotonic() - begun:.1f} s", flush=True)
    assert not failures, "\n".join(failures)


def repair(site) -> None:
    """After a failure, for what comes next."""
    if not running("dockerd"):
        start_docker()
    if not running("nginx"):
        start_nginx()
    if site.document.exists():
        site.document.write_text(site.document.read_text().replace("= oops\n", ""))
    else:
        site.host.ssh("apps:restore", site.name, ok=False)
    site.host.ssh("ps:rebuild", site.name)


def step(site, state: str, command: str) -> None:
    """Break the site, give the command, and mend what is broken by what is advised."""
    assert site.is_well(), "before anything was broken"
    site.text = site.document.read_text()
    STATES[state][0](site)
    words = [
        command,
        *([] if command == "doctor" else [site.name]),
        *(["--force"] if command == "apps:destroy" else []),
    ]
    done = site.host.ssh(*words, ok=False)
    said = done.stdout + done.stderr
    assert "Traceback" not in said and "itself failed" not in said, said
    assert done.returncode in (0, 1, 75, 78), said
    assert "is still live\n" not in said or "running" in site.states().values(), said
    TRUTHS[command](site, state, done, words)


def truth_of_report(site, state, done, words):
    _, runs, status, _ = STATES[state]
    if runs is None:
        assert done.returncode == 78 and "app.toml cannot be read, line" in done.stderr
        mend(site, done, words)
    else:
        report = site.report()
        assert re.match(runs, report["running"]) and re.search(status, report.get("status-web-1", "")), report
        shown = re.sub(" +", " ", done.stdout)
        assert report["running"] in shown or "loop" in state, done.stdout
        if state == "restart loop":
            assert report["restarts-web-1"] >= 3 and report["last-exit-code-web-1"] in (3, 137), report
    heal(site)


def truth_of_doctor(site, state, done, words):
    assert done.returncode == 1, done.stdout
    assert re.search(f"BROKEN.*{STATES[state][3]}", done.stdout), done.stdout
    heal(site)


def truth_of_start(site, state, done, words):
    """ps:start, ps:restart, ps:restore, ps:rebuild: where it says that it is done, the site serves."""
    if done.returncode == 0:
        wait_for(lambda: site.serves() or state == "nginx away", 3)
    mend(site, done, words)
    wait_for(site.serves, 3) if state != "nginx away" else None
    heal(site)


def truth_of_stop(site, state, done, words):
    mend(site, done, words)
    assert site.states() == {} and site.answers()[0] in (503, 0)
    assert site.report()["running"] == "false" and "stopped" in site.host.ssh("ps:restart", site.name, ok=False).stderr
    if not running("nginx"):
        heal_nginx(site)
    mend(site, site.host.ssh("ps:start", site.name, ok=False), ["ps:start", site.name])
    heal(site)


def heal_nginx(site) -> None:
    (finding,) = [found for found in site.findings() if found["part"].startswith("nginx")]
    follow(site, finding["fix"])


def truth_of_destroy(site, state, done, words):
    mend(site, done, words)
    assert docker("ps", "-aq", "--filter", f"label=minipaas.app={site.name}").split() == []
    assert site.host.ssh("apps:exists", site.name, ok=False).returncode != 0 and site.answers()[0] in (404, 0)
    if not running("nginx"):  # an app goes without it, and comes back only with it
        heal_nginx(site)
    back = ["apps:restore", site.name]
    done = site.host.ssh(*back, ok=False)
    if done.returncode:  # it is back all the same, stopped
        mend(site, done, ["ps:start", site.name])
    heal(site)


TRUTHS = dict.fromkeys(COMMANDS, truth_of_start) | {
    "ps:report": truth_of_report,
    "doctor": truth_of_doctor,
    "ps:stop": truth_of_stop,
    "apps:destroy": truth_of_destroy,
}

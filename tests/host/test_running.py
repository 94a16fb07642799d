"""Look at, enter and run what is deployed."""

import json
import subprocess
import threading
import time

import pytest
from conftest import docker, wait_for


def test_logs_of_all_processes_are_merged_and_failed_ones_kept(host, app, repo):
    repo.commit(
        Procfile=(
            "web: echo web-here; exec httpd -f -p $PORT -h /www\n"
            "worker: echo worker-here; while true; do sleep 1; done\n"
        )
    )
    repo.push()
    host.ssh("ps:scale", app, "worker=1")
    both = host.ssh("logs", app).stdout
    assert "web-here" in both and "worker-here" in both and "web.1" in both
    only = host.ssh("logs", "-p", "worker", app).stdout
    assert "worker-here" in only and "web-here" not in only
    assert len(host.ssh("logs", "-n", "1", "-q", "-p", "web.1", app).stdout.splitlines()) == 1


def test_logs_follow_across_a_deploy(host, app, repo):
    repo.commit(Procfile="web: echo first-release; exec httpd -f -p $PORT -h /www\n")
    repo.push()
    follower = subprocess.Popen(
        [*host.ssh_command(), "paas@127.0.0.1", f"logs -t {app}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seen = []
    threading.Thread(target=lambda: [seen.append(line) for line in follower.stdout], daemon=True).start()
    try:
        wait_for(lambda: any("first-release" in line for line in seen), 20)
        repo.commit(Procfile="web: echo second-release; exec httpd -f -p $PORT -h /www\n")
        repo.push()
        wait_for(lambda: any("second-release" in line for line in seen), 20)
    finally:
        follower.kill()
        follower.wait()
    wait_for(
        lambda: (
            "logs -t" not in subprocess.run(["ps", "-ef"], capture_output=True, text=True).stdout.replace("grep", "")
        ),
        20,
    )


def test_run_passes_words_environment_input_and_the_exit_code(host, app, repo):
    host.ssh("apps:create", app)
    early = host.ssh("run", app, "true", ok=False)
    assert early.returncode == 1 and f"{app} is not deployed" in early.stderr
    repo.push()
    host.ssh("config:set", app, "GREETING=good 'day' \"sir\" $HOME")
    assert host.ssh("run", app, "sh", "-c", 'printf %s "$GREETING"').stdout == "good 'day' \"sir\" $HOME"
    assert host.ssh("run", app, "sh", "-c", "exit 7", ok=False).returncode == 7
    assert host.ssh("run", app, "cat", input="through\n").stdout == "through\n"
    assert host.ssh("run", app, "no-such-program", ok=False).returncode in (126, 127)
    assert host.containers(app, every=True) == [f"{app}_v2.web.1"] or len(host.containers(app, every=True)) == 2
    leftovers = subprocess.run(
        ["/usr/bin/docker", "ps", "-aq", "--filter", f"label=minipaas.run={app}"], capture_output=True, text=True
    ).stdout
    assert leftovers == ""


def test_a_run_is_no_process_though_its_image_names_the_app_and_ends_with_it(host, app, repo):
    repo.push()
    words = [*host.ssh_command(), "paas@127.0.0.1", f"run {app} sleep 60"]
    session = subprocess.Popen(words, stdin=subprocess.PIPE)
    ones = ("ps", "-q", "--filter", f"label=minipaas.run={app}")
    try:
        wait_for(lambda: docker(*ones))
        assert ".run." not in host.ssh("ps:report", app).stdout
        host.ssh("config:set", app, "MEANWHILE=1")
        destroyed = host.ssh("apps:destroy", app, "--force")
        assert "failed" not in destroyed.stderr
        assert not docker(*ones), "a run outlived its app"
    finally:
        session.kill()
        session.wait()


def test_run_and_enter_have_a_terminal_when_asked(host, app, repo):
    repo.push()
    tty = host.ssh("run", app, "sh", "-c", "[ -t 0 ] && echo terminal", options=["-tt"])
    assert "terminal" in tty.stdout
    assert (
        "terminal" in host.ssh("enter", app, "web.1", "sh", "-c", "[ -t 0 ] && echo terminal", options=["-tt"]).stdout
    )
    assert host.ssh("enter", app, "web", "sh", "-c", "echo $PORT; exit 5", ok=False).returncode == 5


def test_secrets_stand_in_no_argv_and_no_listing(host, app, repo):
    repo.push()
    host.ssh("config:set", app, "-", input="TOKEN=topsecretvalue\n")
    seen = []
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout)
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    host.ssh("run", app, "sleep", "1")
    host.ssh("ps:restart", app)
    stop.set()
    watcher.join()
    assert not any("topsecretvalue" in text for text in seen)
    assert (
        "topsecretvalue"
        not in host.ssh("ps:inspect", app).stdout + host.ssh("releases", app).stdout + host.ssh("report", app).stdout
    )
    assert (
        subprocess.run(
            ["grep", "-rl", "topsecretvalue", "/var/lib/minipaas/output", "/var/log/nginx"],
            capture_output=True,
            text=True,
        ).stdout
        == ""
    )
    modes = subprocess.run(
        ["find", "/var/lib/minipaas/state", "-type", "f", "-perm", "/077"], capture_output=True, text=True
    ).stdout
    assert modes == ""


def test_a_stopped_app_says_503_and_starts_again(host, app, repo):
    repo.push()
    name = host.url_host(app)
    host.ssh("ps:stop", app)
    assert host.get(name)[0] == 503 and host.containers(app) == []
    host.ssh("config:set", app, "A=1")
    assert host.containers(app) == []
    host.ssh("ps:start", app)
    assert host.get(name)[0] == 200
    assert "A=1" in host.ssh("run", app, "env").stdout


def test_scaled_to_no_web_is_503_and_unknown_hosts_are_404(host, app, repo):
    repo.push()
    name = host.url_host(app)
    host.ssh("ps:scale", app, "web=0")
    assert host.get(name)[0] == 503
    host.ssh("ps:scale", app, "web=1")
    assert host.get(name)[0] == 200
    assert host.get("nobody.invalid")[0] == 404


def test_proxy_and_ports(host, app, repo):
    repo.push()
    name = host.url_host(app)
    host.ssh("proxy:disable", app)
    assert host.get(name)[0] == 503
    host.ssh("proxy:enable", app)
    host.ssh("ports:add", app, "http:8181:5000")
    assert host.get(name, port=8181)[0] == 200 and host.get(name)[0] in (200, 404)
    assert host.get("nobody.invalid", port=8181)[0] == 200, "a port that one app alone maps is the app's"
    host.ssh("ports:clear", app)
    assert host.get(name)[0] == 200


def test_every_report_speaks_json(host, app, repo):
    repo.push()
    for noun in ("apps", "ps", "domains", "ports", "proxy", "nginx", "git", "builder-dockerfile", "checks"):
        assert isinstance(json.loads(host.ssh(f"{noun}:report", app, "--format", "json").stdout), dict), noun
    for words in (
        ["apps:list"],
        ["plugin:list"],
        ["ssh-keys:list"],
        ["releases", app],
        ["doctor"],
        ["ports:list", app],
        ["ps:scale", app],
        ["config:show", app],
    ):
        json.loads(host.ssh(*words, "--format", "json", ok=False).stdout)


# -- one-off processes that outlive their command --------------------------------------------------------------------


@pytest.fixture
def running(host, app, repo):
    """The name of an app that is deployed."""
    repo.push()
    return app


def of_paas() -> set[str]:
    return set(subprocess.run(["pgrep", "-u", "paas"], capture_output=True, text=True).stdout.split())


def listed(host, app: str) -> dict[str, dict]:
    return {row["name"]: row for row in json.loads(host.ssh("run:list", app, "--format", "json").stdout)}


def test_run_detached_outlives_its_command(host, running):
    app = running
    said = host.ssh("run:detached", "-e", "A=one", app, "sh", "-c", "echo $A; sleep 3; echo two; exit 7")
    name = said.stdout.strip()
    assert name == f"{app}.run.0001"
    row = listed(host, app)[name]
    assert row["state"] == "running" and row["exit_code"] == "" and "echo $A" in row["command"], (
        "ssh has ended, and it runs"
    )
    followed = host.ssh("run:logs", app, name, "-t", timeout=30)
    assert followed.stdout == "one\ntwo\n", "it ends with the process"
    row = wait_for(lambda: (found := listed(host, app)[name])["ended"] and found)
    assert row["state"] == "exited" and row["exit_code"] == 7
    assert (
        host.ssh("run:logs", app).stdout == "one\ntwo\n"
        and host.ssh("run:logs", app, name, "-n", "1").stdout == "two\n"
    )
    second = host.ssh("run:detached", app, "sleep", "1000").stdout.strip()
    assert second == f"{app}.run.0002" and set(listed(host, app)) == {name, second}
    assert not [one for one in host.containers(app) if ".run." in one], "it is not a process of the app"
    assert (
        "is removed" in host.ssh("run:stop", app, name).stderr and "is stopped" in host.ssh("run:stop", app, "2").stderr
    )
    assert listed(host, app) == {} and host.ssh("run:logs", app, ok=False).returncode == 1


def test_run_detached_ends_when_its_time_is_up(host, running):
    name = host.ssh(
        "run:detached", "--ttl-seconds", "2", running, "sh", "-c", "trap 'exit 5' TERM; while true; do sleep 1; done"
    ).stdout.strip()
    inspect = ("inspect", "-f", "{{.State.Status}}", name)
    wait_for(lambda: docker(*inspect).strip() == "exited", 30)
    assert listed(host, running)[name]["exit_code"] == 5, "it ended without a command of ours"


@pytest.mark.serial  # it kills whatever runs as paas
@pytest.mark.one_host  # on a head something of ours always does
def test_what_was_to_end_it_may_be_killed(host, running):
    """The next command on the app ends it; doctor knows."""
    wait_for(lambda: not of_paas(), 60)
    name = host.ssh("run:detached", "--ttl-seconds", "3", running, "sleep", "1000").stdout.strip()
    pids = wait_for(of_paas, 5)
    subprocess.run(["kill", "-9", *pids], check=True)
    time.sleep(4)
    assert docker("inspect", "-f", "{{.State.Running}}", name).strip() == "true"
    assert listed(host, running)[name]["state"] == "exited"


def test_a_deploy_leaves_them_and_a_destroy_does_not(host, running):
    name = host.ssh("run:detached", running, "sleep", "1000").stdout.strip()
    host.ssh("ps:restart", running)
    assert listed(host, running)[name]["state"] == "running"
    subprocess.run(
        ["/usr/local/bin/minipaas", "apps:destroy", running, "--force"], check=True, capture_output=True, timeout=120
    )
    assert not docker("ps", "-aq", "--filter", f"label=minipaas.run={running}").split()


def test_long_lines_are_whole_and_no_history_is_none(host, app, repo):
    repo.commit(Procfile="web: head -c 40000 /dev/zero | tr '\\0' x; echo; exec httpd -f -v -p $PORT -h /www\n")
    repo.push()
    assert host.ssh("logs", "-q", "-n", "1000", app).stdout.startswith("x" * 40000 + "\n")
    follower = subprocess.Popen(
        [*host.ssh_command(), "paas@127.0.0.1", f"logs -t -q -n 0 {app}"], stdout=subprocess.PIPE, text=True
    )
    seen = []
    threading.Thread(target=lambda: [seen.append(line) for line in follower.stdout], daemon=True).start()
    try:
        wait_for(lambda: host.get(host.url_host(app))[0] == 200 and seen, 20)
    finally:
        follower.kill()
        follower.wait()
    assert not any("xxx" in line for line in seen) and "200" in seen[0]

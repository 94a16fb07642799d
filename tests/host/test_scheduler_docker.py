"""The Scheduler contract against the real docker, in a world (state folder, network, names) of its own."""

import contextlib
import grp
import json
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from conftest import BUSYBOX_IMAGE, docker, make_base_image, wait_for, word
from test_reboot import power_off, start_docker

from minipaas_lib import api, errors

pytestmark = pytest.mark.host
HERE = Path(__file__).resolve().parents[2]
NETWORK = "sched-" + word(4)
APP, OTHER = f"s-{word()}", f"o-{word()}"

# A program of its own, because attached containers use the real stdin and stdout, and logs -t needs gevent's patches.
DRIVER = """
import sys
if sys.argv[1] == "follow":
    from gevent import monkey
    monkey.patch_all()
import json
from minipaas_lib import api
from plugins.scheduler_docker.scheduler import DockerScheduler
what, arguments = sys.argv[1], json.loads(sys.argv[2])
scheduler = DockerScheduler()
try:
    if what == "run":
        spec = arguments.pop("spec")
        if isinstance(spec["command"], list):
            spec["command"] = tuple(spec["command"])
        sys.exit(scheduler.run(api.ContainerSpec(**spec), **arguments))
    if what == "enter":
        process = next(p for p in scheduler.processes(arguments["app"]))
        sys.exit(scheduler.enter(process, arguments["command"], arguments["tty"]))
    if what == "follow":
        for line in scheduler.follow(arguments["app"], 100, None, None):
            print(line.process.name, line.text, flush=True)
    if what == "diagnose":
        process = next(p for p in scheduler.processes(arguments["app"]))
        print(json.dumps(scheduler.diagnose(process).listening))
except api.errors.MinipaasError as error:
    sys.exit(f"{type(error).__name__}: {error.message}")
"""


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    state = root / "state"
    state.mkdir()
    (state / "platform.toml").write_text(f'# kept\n[network]\nname = "{NETWORK}"\n')
    former = os.environ.get("MINIPAAS_ROOT")
    os.environ["MINIPAAS_ROOT"] = str(root)
    make_base_image()
    yield root
    for label in (f"minipaas.app={APP}", f"minipaas.app={OTHER}", f"minipaas.run={APP}"):
        for container in docker("ps", "-aq", "--filter", f"label={label}").split():
            docker("rm", "-fv", container, ok=False)
    docker("network", "rm", NETWORK, ok=False)
    os.environ.pop("MINIPAAS_ROOT")
    if former is not None:
        os.environ["MINIPAAS_ROOT"] = former


@pytest.fixture(scope="module")
def for_others(world):
    """A copy of the code that every user can read, and a way to it and to `world`: this checkout may be below /root."""
    for name in ("minipaas_lib", "plugins"):
        shutil.copytree(HERE / name, world / "code" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (world, *world.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(folder.stat().st_mode | 0o055)
    return world / "code"


@pytest.fixture
def scheduler():
    from plugins.scheduler_docker.scheduler import DockerScheduler

    made = DockerScheduler()
    yield made
    for process in [*made.processes(APP), *made.processes(OTHER)]:
        made.stop(process, 0)


def values(
    app=APP, index=1, kind="web", release=1, command="echo up; exec httpd -f -p $PORT -h /www", **changes
) -> dict:
    made = {
        "name": f"{app}_v{release}.{kind}.{index}",
        "app": app,
        "release": release,
        "process_type": kind,
        "index": index,
        "image": BUSYBOX_IMAGE,
        "command": command,
        "environment": {"PORT": "5000", "SECRET": "hush hush"},
        "port": 5000,
    }
    return made | changes


def spec(*positional, **changes) -> "api.ContainerSpec":
    return api.ContainerSpec(**values(*positional, **changes))


def answers(address: str, port: int = 5000) -> bool:
    import socket

    with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False


def drive(what: str, arguments: dict, **settings) -> subprocess.Popen:
    words = [*settings.pop("prefix", []), sys.executable, "-c", DRIVER, what, json.dumps(arguments)]
    environment = os.environ | {"PYTHONPATH": str(settings.pop("house", HERE))}
    return subprocess.Popen(words, cwd="/", env=environment, **settings)


def driven(what: str, arguments: dict, input: bytes = b"", **settings):
    pipe = subprocess.PIPE
    with drive(what, arguments, stdin=pipe, stdout=pipe, stderr=pipe, **settings) as process:
        out, err = process.communicate(input, timeout=60)
    return process.returncode, out.decode(), err.decode()


def one_offs() -> list[str]:
    return docker("ps", "-aq", "--filter", f"label=minipaas.run={APP}").split()


# -- processes ---------------------------------------------------------------------------------------------------


def test_a_process_from_start_to_stop(scheduler, world):
    process = scheduler.start(spec())
    assert (process.name, process.state, process.adopted) == (f"{APP}_v1.web.1", "running", False)
    wait_for(lambda: answers(process.address))
    assert scheduler.processes(APP) == [process] == [p for p in scheduler.processes() if p.app == APP]
    scheduler.adopt([process])
    assert scheduler.refresh(process).adopted
    assert docker("inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", process.name).strip() == "always"
    scheduler.disown([process])
    assert not scheduler.refresh(process).adopted
    assert [line.text for line in scheduler.logs([process])] == ["up"]
    scheduler.stop(process, 1)
    assert scheduler.refresh(process).state == "missing"
    scheduler.stop(process)
    scheduler.disown([process])
    text = (world / "state" / "platform.toml").read_text()
    assert text.startswith("# kept") and "subnet" in text


def test_limits_and_hardening(scheduler):
    process = scheduler.start(spec(memory=64 << 20, cpus=0.5, pids_limit=50, restart="on-failure:3", stop_timeout=7))
    scheduler.adopt([process])
    shown = json.loads(docker("inspect", process.name))[0]
    host = shown["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 << 20, 500_000_000, 50)
    assert host["Init"] and host["SecurityOpt"] == ["no-new-privileges"] and host["CapDrop"] == ["NET_RAW"]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert shown["Config"]["StopTimeout"] == 7
    assert "hush hush" not in json.dumps(scheduler.inspect(process))


def test_apps_cannot_reach_each_other_but_the_host_reaches_both(scheduler):
    one, two = scheduler.start(spec()), scheduler.start(spec(OTHER))
    wait_for(lambda: answers(one.address) and answers(two.address))
    for peer, reached in ((two.address, False), (one.address, True)):
        done = subprocess.run(
            ["/usr/bin/docker", "exec", one.name, "nc", "-w", "2", peer, "5000"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        assert (done.returncode == 0) is reached, peer


def test_an_address_is_not_given_again_soon_and_a_stopped_container_keeps_its_own(scheduler):
    one = scheduler.start(spec())
    scheduler.stop(one, 0)
    two = scheduler.start(spec(index=2))
    assert two.address != one.address
    docker("stop", "-t", "0", two.name)
    from plugins.scheduler_docker import network

    assert two.address in network._taken(scheduler.daemon, network.settings())


def test_a_process_on_a_node_is_reached_at_the_ports_published_there(scheduler):
    node = scheduler.elsewhere("unix:///var/run/docker.sock", published_at="127.0.0.1", node="node1")
    made = node.prepare(spec(ports=(5000,)))
    assert node.prepare(spec(ports=(5000,))) == made, "what is there stays, whoever asks again"
    docker("start", made)
    (process,) = node.processes(APP)
    assert (process.node, process.address, process.state) == ("node1", "127.0.0.1", "running")
    wait_for(lambda: answers(process.address, process.backend.at(5000)))
    first = process.backend
    docker("restart", "-t", "0", made)
    wait_for(lambda: answers("127.0.0.1", node.refresh(process).backend.at(5000)))
    assert node.refresh(process).backend.address == first.address
    assert [line.text for line in node.logs([process])][:1] == ["up"]
    assert node.probe(process, ["echo", "hello"], 10) == (0, "hello\n")
    node.stop(process, 0)
    assert scheduler.processes(APP) == []


def test_many_at_once_get_addresses_of_their_own(scheduler):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: scheduler.start(spec(index=number)), range(1, 9)))
    assert len({process.address for process in made}) == 8


def test_a_leftover_is_replaced_and_a_living_namesake_is_not(scheduler):
    first = scheduler.start(spec(command="exit 3"))
    wait_for(lambda: scheduler.refresh(first).state == "exited")
    second = scheduler.start(spec())
    assert scheduler.refresh(first).state == "missing"
    with pytest.raises(errors.DeployFailed, match="another container has the name"):
        scheduler.start(spec())
    assert scheduler.refresh(second).state == "running"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": "sha256:" + "0" * 64}, "the image of .* is gone"),
        ({"mounts": (("/nonexistent-folder", "/data", "rw"),)}, "bind source path does not exist"),
    ],
)
def test_what_cannot_start_leaves_nothing(scheduler, changes, said):
    with pytest.raises(errors.DeployFailed, match=said):
        scheduler.start(spec(**changes))
    assert scheduler.processes(APP) == []


@pytest.mark.parametrize(
    ("changes", "code", "memory", "said"),
    [
        ({"command": ("/no/such",)}, 127, False, 'exec: "/no/such": No such file or directory'),
        ({"command": "echo last words; exit 3"}, 3, False, ""),
        ({"command": "tail /dev/zero", "memory": 16 << 20}, 137, True, ""),
    ],
)
def test_diagnosis_of_a_crash(scheduler, changes, code, memory, said):
    if "tail" in str(changes["command"]):
        changes = changes | {"command": ("busybox", "tail", "/dev/zero")}
    process = scheduler.start(spec(**changes))
    wait_for(lambda: scheduler.refresh(process).state == "exited")
    found = scheduler.diagnose(process)
    assert (found.exit_code, found.out_of_memory, found.error) == (code, memory, said)
    assert found.log == (("last words",) if code == 3 else found.log)


@pytest.mark.parametrize(("end", "code", "memory"), [("exit 3", 3, False), ("exec busybox tail /dev/zero", 137, True)])
def test_a_process_that_came_back_tells_how_it_ended(scheduler, end, code, memory):
    ended = (
        f"if [ -e /tmp/was ]; then exec sleep 60; fi; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo >/tmp/was; {end}"
    )
    process = scheduler.start(spec(kind="worker", command=ended, memory=32 << 20))
    assert scheduler.diagnose(process).exit_code is None and scheduler.refresh(process).ended == ""
    scheduler.adopt([process])
    assert scheduler.probe(process, ["sh", "-c", "echo >/tmp/go"], 10)[0] == 0
    wait_for(lambda: scheduler.refresh(process).restarts == 1 and scheduler.refresh(process).state == "running")
    now, seen = scheduler.refresh(process), scheduler.diagnose(process)
    assert (seen.state, seen.exit_code, seen.out_of_memory) == ("running", code, memory)
    assert now.created < now.ended < now.started


def test_listening_sockets_are_seen_by_a_user_of_the_docker_group(scheduler, world, for_others):
    process = scheduler.start(spec(command="exec httpd -f -p 127.0.0.1:5001 -h /www"))
    wait_for(lambda: scheduler.diagnose(process).listening)
    assert scheduler.diagnose(process).listening == (("127.0.0.1", 5001),)
    group = grp.getgrnam("docker").gr_gid
    for path in [world / "state", *(world / "state").iterdir()]:
        os.chmod(path, 0o755 if path.is_dir() else 0o644)
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", f"--groups={group}"]
    code, out, err = driven("diagnose", {"app": APP}, prefix=prefix, house=for_others)
    assert (code, json.loads(out or "null")) == (0, [["127.0.0.1", 5001]]), err


def test_a_user_without_rights_gets_a_sentence(for_others):
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    code, _, err = driven("diagnose", {"app": APP}, prefix=prefix, house=for_others)
    assert code == 1 and err.startswith("Unavailable: docker does not answer: this user may not use it"), err


def test_docker_that_does_not_run(monkeypatch):
    from plugins.scheduler_docker import client, hooks
    from plugins.scheduler_docker.scheduler import DockerScheduler

    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    monkeypatch.setattr(client.HERE, "_clients", {})
    with pytest.raises(errors.Unavailable) as caught:
        DockerScheduler().processes()
    assert caught.value.hint == "on the host: sudo systemctl start docker"
    (finding,) = hooks.doctor(None)
    assert not finding.ok


def test_doctor(scheduler):
    from plugins.scheduler_docker import hooks, network

    hooks.installed()
    assert [finding.ok for finding in hooks.doctor(None)] == [True, True]
    assert hooks._network(network.Network(NETWORK + "x", "b", "")).ok is False


# -- one-off runs ------------------------------------------------------------------------------------------------


def run_spec(command, **changes) -> dict:
    return values(command=command, name=f"{APP}_v1.run.1", kind="run", **changes)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("echo $SECRET; exit 42", 42, "hush hush\n"),
        (["printf", "%s|", "a b", "$PORT"], 0, "a b|$PORT|"),
        (["cat"], 0, "typed\n"),
        ("kill -9 $$", 137, ""),
    ],
)
def test_run(command, code, said):
    returned, out, err = driven("run", {"spec": run_spec(command), "interactive": True}, b"typed\n")
    assert (returned, out) == (code, said), err
    wait_for(lambda: not one_offs())


def test_a_program_that_is_not_there_is_told_before_it_starts(scheduler):
    with pytest.raises(errors.MinipaasError, match="no-such-program") as caught:
        scheduler.run(api.ContainerSpec(**run_spec(("no-such-program",))))
    assert caught.value.exit_code == 127
    wait_for(lambda: not one_offs())


def test_run_is_no_process_of_the_app(scheduler):
    with drive("run", {"spec": run_spec(["sleep", "60"])}) as child:
        wait_for(one_offs)
        assert scheduler.processes(APP) == []
        shown = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = wait_for(lambda: docker("inspect", "-f", shown, *one_offs()).strip())
        assert ".255." in address or ".239." in address  # the last /24 of the subnet
        child.send_signal(signal.SIGTERM)
    assert one_offs() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run(number):
    child = drive("run", {"spec": run_spec(["sleep", "60"])}, start_new_session=True, stderr=subprocess.DEVNULL)
    wait_for(lambda: docker("ps", "-q", "--filter", f"label=minipaas.run={APP}").strip())
    time.sleep(0.3)
    os.killpg(child.pid, number)
    assert child.wait(20) != 0
    wait_for(lambda: not one_offs())


def test_a_silent_run_ends_when_its_reader_goes():
    child = drive("run", {"spec": run_spec(["sleep", "60"])}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_for(lambda: docker("ps", "-q", "--filter", f"label=minipaas.run={APP}").strip())
    child.stdout.close()
    assert child.wait(20) != 0
    wait_for(lambda: not one_offs())


def test_run_ends_after_its_time():
    begin = time.monotonic()
    code, _, err = driven("run", {"spec": run_spec(["sleep", "60"]), "ttl": 1})
    assert code == 124 and "after 1 seconds" in err
    assert time.monotonic() - begin < 20
    wait_for(lambda: not one_offs())


def test_run_with_a_terminal():
    command = "test -t 0 && test -t 1 && read x && echo got $x; exit 7"
    code, out = on_a_terminal("run", {"spec": run_spec(command), "interactive": True, "tty": True}, b"typed\n")
    assert (code, "got typed" in out) == (7, True), out


def on_a_terminal(what: str, arguments: dict, typed: bytes) -> tuple[int, str]:
    """Drive with a terminal as stdin and stdout; type once something was started."""
    ours, theirs = pty.openpty()
    child = drive(what, arguments, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    time.sleep(2)
    os.write(ours, typed)
    out = b""
    with contextlib.suppress(OSError):
        while select.select([ours], [], [], 20)[0]:
            out += os.read(ours, 4096)
    os.close(ours)
    return child.wait(20), out.decode()


# -- entering ----------------------------------------------------------------------------------------------------


def test_enter(scheduler):
    process = scheduler.start(spec())
    code, out, err = driven(
        "enter", {"app": APP, "command": ["sh", "-c", "cat; echo $SECRET; exit 9"], "tty": False}, b"in\n"
    )
    assert (code, out) == (9, "in\nhush hush\n"), err
    code, out = on_a_terminal("enter", {"app": APP, "command": [], "tty": True}, b"echo in-$PORT; exit 4\n")
    assert (code, "in-5000" in out) == (4, True), out
    docker("stop", "-t", "0", process.name)
    code, _, err = driven("enter", {"app": APP, "command": [], "tty": False})
    assert code == 1 and "is not running: exited" in err


def test_what_was_started_inside_ends_when_the_client_hangs_up(scheduler):
    process = scheduler.start(spec())
    sleeping = f"sleep {random.randrange(10**8, 10**9)}"
    for ending in ("reader", signal.SIGINT, signal.SIGHUP):
        arguments = {"app": APP, "command": ["sh", "-c", f"{sleeping}; true"], "tty": False}
        child = drive("enter", arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(lambda: sleeping in docker("top", process.name))
        if ending == "reader":
            child.stdout.close()
        else:
            os.killpg(child.pid, ending)
        assert child.wait(20) != 0
        wait_for(lambda: sleeping not in docker("top", process.name))
    assert scheduler.refresh(process).state == "running"


def test_enter_without_a_shell(scheduler, tmp_path):
    image = f"{NETWORK}/shell-less"
    busybox = Path("/bin/busybox").read_bytes()
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("sleep")
        info.size, info.mode = len(busybox), 0o755
        tar.addfile(info, io.BytesIO(busybox))
    docker("import", "-", image, input=buffer.getvalue())
    try:
        process = scheduler.start(spec(image=image, command=("/sleep", "60")))
        code, _, err = driven("enter", {"app": APP, "command": [], "tty": False})
        assert code == 1 and "has no shell" in err
        crashed = scheduler.start(spec(image=image, index=2))
        wait_for(lambda: scheduler.refresh(crashed).state == "exited")
        assert "no /bin/sh" in scheduler.diagnose(crashed).error
        scheduler.stop(process, 0)
        scheduler.stop(crashed, 0)
    finally:
        docker("rmi", "-f", image, ok=False)


def test_images_built_for_apps_can_be_dropped_but_not_from_under_a_container(scheduler):
    image = f"{NETWORK}/built"
    name = docker(
        "build", "-q", "-t", image, "-", input=f"FROM {BUSYBOX_IMAGE}\nLABEL minipaas.app={APP}\n".encode()
    ).strip()
    try:
        assert scheduler.images()[name] == APP
        process = scheduler.start(spec(image=name, command=("sleep", "60")))
        assert not scheduler.drop_image(name) and name in scheduler.images()
        scheduler.stop(process, 0)
        assert scheduler.drop_image(name) and name not in scheduler.images()
        assert not scheduler.drop_image(name), "it is gone already"
    finally:
        docker("rmi", "-f", image, ok=False)


# -- logs --------------------------------------------------------------------------------------------------------


def test_logs_are_merged_by_time_and_long_lines_are_whole(scheduler):
    one = scheduler.start(
        spec(command="echo a; sleep 6; echo c >&2; sleep 1; head -c 40000 /dev/zero | tr '\\0' x; echo; exec sleep 60")
    )
    two = scheduler.start(spec(index=2, command="sleep 2; echo b; exec sleep 60"))
    wait_for(lambda: len(scheduler.logs([one, two])) == 4)
    texts = [line.text for line in scheduler.logs([one, two])]
    assert texts[:3] == ["a", "b", "c"]
    assert texts[3] == "x" * 40000
    # Docker counts each 16 KiB of a long line as one of the last lines.
    assert [line.text[:1] for line in scheduler.logs([one, two], 1)] == ["b", "x"]


def test_follow_goes_on_across_a_deploy_and_a_restart_and_ends_with_its_reader(scheduler):
    one = scheduler.start(spec(command="echo first; sleep 2; echo second; exec sleep 60"))
    time.sleep(0.5)
    child = drive("follow", {"app": APP}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    seen = []

    def read(count: int) -> list[str]:
        while len(seen) < count:
            assert select.select([child.stdout], [], [], 20)[0], seen
            seen.append(child.stdout.readline().decode().strip())
        return seen

    assert read(2) == [f"{one.name} first", f"{one.name} second"]
    two = scheduler.start(spec(release=2, command="echo third; exec sleep 60"))
    scheduler.stop(one, 0)
    assert read(3)[2] == f"{two.name} third"
    docker("restart", "-t", "0", two.name)
    assert read(4)[3] == f"{two.name} third"
    child.stdout.close()
    docker("restart", "-t", "0", two.name)  # the next line finds that nobody reads
    assert child.wait(20) != 0
    child.stderr.close()


# -- docker goes and comes ---------------------------------------------------------------------------------------


@pytest.mark.restarts_docker
def test_after_a_reboot_the_adopted_are_back_at_their_addresses(scheduler):
    adopted = [scheduler.start(spec(index=number)) for number in (1, 2, 3)]
    always = scheduler.start(spec(kind="worker", restart="unless-stopped"))
    pending = scheduler.start(spec(index=4))
    scheduler.adopt([*adopted, always])
    retired = scheduler.start(spec(index=5))
    scheduler.adopt([retired])
    scheduler.disown([retired])
    power_off()
    start_docker()
    wait_for(lambda: all(scheduler.refresh(process).state == "running" for process in [*adopted, always]), 60)
    for process in [*adopted, always]:
        now = scheduler.refresh(process)
        assert (now.address, now.adopted) == (process.address, True)
        actual = docker(
            "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", process.name
        ).strip()
        assert actual == process.address
        wait_for(lambda address=process.address: answers(address))
    assert scheduler.refresh(pending).state == "exited"
    assert scheduler.refresh(retired).state == "exited"

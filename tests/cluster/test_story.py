"""A host with a live app joins three nodes and comes back, as a user does it; requests to it go on all the while.

The host is this machine, with minipaas as it was installed; the tests of this file are one story, in their order.
Those that others go on from are marked; of the rest some may be left out (see tests/slow.py).
"""

import http.client
import io
import json
import os
import random
import shlex
import shutil
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import pytest

from tests import kill_points
from tests.cluster import images, nodes, second_head
from tests.cluster.conftest import REAL
from tests.sampling import SEED

MINIPAAS = "/usr/local/bin/minipaas"
MADE = "minipaas-tests"  # a label
APP, DOMAIN = "cluster-story", "cluster-story.example.org"
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY index.html /www/
EXPOSE 5000
CMD ["/bin/busybox", "httpd", "-f", "-v", "-p", "5000", "-h", "/www"]
"""
WITH_PAGE = DOCKERFILE.replace("COPY index.html", "COPY index.html page.html")
STEPS = 13  # that a change of config of three processes notes


def run(*words: str, ok: bool = True, data: bytes = b"", timeout: float = 400) -> subprocess.CompletedProcess:
    """A command as root types it on the host."""
    done = subprocess.run([MINIPAAS, *words], capture_output=True, input=data, timeout=timeout)
    done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if ok:
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def archive() -> bytes:
    """The files of the app, as a tar."""
    files = {"Dockerfile": DOCKERFILE.encode(), "index.html": b"hello\n", "busybox": Path("/bin/busybox").read_bytes()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def killed_at(line: str, *words: str) -> None:
    """Give a command and kill it as soon as it prints that line."""
    with subprocess.Popen(
        [MINIPAAS, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL
    ) as child:
        said = []
        for printed in child.stdout:
            said.append(printed)
            if line in printed:
                child.kill()
                return
    raise AssertionError(f"it never came to {line!r}:\n{''.join(said)}")


def status() -> dict:
    return json.loads(run("cluster:status", "--format", "json").stdout)


def answer(address: str, path: str = "/", text: bytes = b"hello\n") -> int:
    """The status of one request for the app, on a connection of its own; 0 for none, or one of another text."""
    connection = http.client.HTTPConnection(address, 80, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": DOMAIN})
        found = connection.getresponse()
        return found.status if found.read() == text else 0
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def answered(cluster, wanted: int) -> None:
    """Wait until every node answers so for the page of the push; nginx's former workers may take the odd request."""
    end = time.monotonic() + 10
    while (found := [answer(node.address, "/page.html", b"new\n") for node in cluster.nodes]) != [wanted] * 3:
        assert time.monotonic() < end, found
        time.sleep(0.1)


def spread(cluster) -> list[int]:
    """How many containers of the app run on each node."""
    words = ("docker", "ps", "-q", "--filter", f"label=minipaas.app={APP}")
    return [len(node.exec(*words).split()) for node in cluster.nodes]


def images_on(cluster) -> list[set[str]]:
    """The images of the app on each node."""
    words = ("docker", "images", "-q", "--no-trunc", "--filter", f"label=minipaas.app={APP}")
    return [set(node.exec(*words).split()) for node in cluster.nodes]


def settled(cluster, wanted: list[int] | set[str], limit: float = 60) -> None:
    """Wait until the app is spread so, or until exactly these are its processes: old ones take a moment to go."""
    end = time.monotonic() + limit
    while True:
        found = spread(cluster) if isinstance(wanted, list) else what_there_is(cluster)
        if found in (wanted, (wanted, wanted)):
            return
        assert time.monotonic() < end, found
        time.sleep(0.5)


class Laptop:
    """Where a user types: a key that the head knows, and a repository of the app."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id"], check=True, timeout=60)
        said = subprocess.run(["/usr/sbin/sshd", "-T"], capture_output=True, text=True, timeout=60).stdout
        port = next((line.split()[1] for line in said.splitlines() if line.startswith("port ")), "22")
        self.head = f"127.0.0.1:{port}"
        options = (
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "LogLevel=ERROR",
            f"UserKnownHostsFile={folder}/known",
        )
        self.way = ["ssh", "-F", "none", "-i", str(folder / "id"), *[word for one in options for word in ("-o", one)]]
        self.git("init", "-q", "-b", "main", "repo", at=folder)
        shutil.copy("/bin/busybox", folder / "repo")

    def ssh(self, *words: str, data: str = "", head: str = "") -> subprocess.CompletedProcess:
        words = [*self.way, f"ssh://paas@{head or self.head}", shlex.join(words)]
        return subprocess.run(words, capture_output=True, text=True, input=data, timeout=300)

    def git(self, *words: str, at: Path | None = None) -> subprocess.CompletedProcess:
        words = ("git", "-c", "user.name=t", "-c", "user.email=t@t", *words)
        environment = os.environ | {"GIT_SSH_COMMAND": shlex.join(self.way), "GIT_CONFIG_GLOBAL": "/dev/null"}
        at = at or self.folder / "repo"
        return subprocess.run(words, cwd=at, env=environment, capture_output=True, text=True, timeout=300)

    def push(self, head: str = "", **files: str) -> subprocess.CompletedProcess:
        """Commit files (`__` in a name is a dot) and push them."""
        self.commit(**files)
        return self.git("push", "-f", f"ssh://paas@{head or self.head}/{APP}", "main")

    def commit(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / "repo" / name.replace("__", ".")).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")


def what_there_is(cluster) -> tuple[set[str], set[str]]:
    """The names of the app's processes: as units of fleet, and as containers, running or not, on the nodes."""
    connection = http.client.HTTPConnection(cluster.nodes[0].address, nodes.FLEET_PORT, timeout=20)
    connection.request("GET", "/fleet/v1/units")
    found = [unit["name"].removesuffix(".service") for unit in json.load(connection.getresponse())["units"]]
    connection.close()
    words = ("docker", "ps", "-a", "--format", "{{.Names}}", "--filter", f"label=minipaas.app={APP}")
    there = {name for node in cluster.nodes for name in node.exec(*words).split()}
    return {name for name in found if name.startswith(APP + "_v")}, there


def live_processes(cluster) -> set[str]:
    """The names of the three processes of the newest release that has units."""
    live = max(int(name.removeprefix(f"{APP}_v").partition(".")[0]) for name in what_there_is(cluster)[0])
    return {f"{APP}_v{live}.web.{index}" for index in (1, 2, 3)}


class Load:
    """Requests to this host, one after the other, until it is ended."""

    def __init__(self) -> None:
        self.total, self.failed, self._ended = 0, [], threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._go)
        self._thread.start()

    def _go(self) -> None:
        while not self._ended.wait(0.02):
            self.total += 1
            if (code := answer("127.0.0.1")) != 200:
                self.failed.append((round(time.monotonic() - self._began, 1), code))

    def end(self) -> None:
        self._ended.set()
        self._thread.join(60)


@pytest.fixture(scope="module")
def daemon(cluster):
    """A story is told once: with the real fleet where there is one, else with the double."""
    if (cluster.fleetd is not None) != bool(REAL):
        cluster.use(REAL)


@pytest.fixture(scope="module")
def etcd(cluster, daemon):
    """The words that name the cluster: its etcd takes only who shows a certificate."""
    files = {name: Path(nodes.FILES, name) for name in cluster.certificates}
    there = os.path.exists(nodes.FILES)
    os.makedirs(nodes.FILES, exist_ok=True)
    for name, path in files.items():
        path.touch(0o600)
        path.write_bytes(cluster.certificates[name])
        shutil.chown(path, "paas", "paas")
    shown = [f"--ca={files['ca.pem']}", f"--cert={files['client.pem']}", f"--key={files['client.key']}"]
    yield ["--etcd", cluster.secure_etcd, *shown, "--fleet", cluster.fleet]
    for path in files.values():
        path.unlink()
    if not there:
        os.rmdir(nodes.FILES)


@pytest.fixture(scope="module")
def load(etcd):
    """Requests to a live app on this host, which belongs to no cluster before and after."""
    if os.environ.get("MINIPAAS_COMMANDS_USED"):  # all that is here was made by the tests before
        for name in run("apps:list").stdout.split():
            run("apps:destroy", name, "--force", "--now")
    run("apps:destroy", APP, "--force", "--now", ok=False)
    run("apps:create", APP)
    run("domains:set", APP, DOMAIN)
    run("ports:set", APP, "http:80:5000")
    run("checks:set", APP, "wait-to-retire", "1")
    run("ps:set", APP, "stop-timeout", "1")
    run("git:from-archive", APP, "-", data=archive())
    assert answer("127.0.0.1") == 200
    made = Load()
    yield made
    made.end()
    run("cluster:leave", ok=False)
    run("apps:destroy", APP, "--force", "--now", ok=False)
    if images := nodes.docker("images", "-q", "minipaas-node").split():
        nodes.docker("rmi", "-f", *images, check=False)
    nodes.docker("image", "prune", "--force", "--filter", f"label={MADE}", check=False)


@pytest.fixture(scope="module")
def init(etcd):
    """The words that join the cluster."""
    return ["cluster:init", *etcd, "--base", images.base()]


@pytest.mark.needed_by_others
def test_the_host_joins_and_goes_on_where_it_was_killed(load, init, cluster):
    refused = run("cluster:init", "--check", "--etcd", cluster.nodes[0].etcd.replace("2379", "2999"), ok=False)
    assert refused.returncode == 1 and "0 of 1 members serve" in refused.stderr
    killed_at("is up", *init)
    run("cluster:init")
    found = status()
    assert found["wrong"] == [] and found["moving"] == ""
    assert [node["name"] for node in found["nodes"]] == ["node1", "node2", "node3"]
    assert sum(spread(cluster)) == 1 and len(found["heads"]) == 1
    assert nodes.docker("ps", "-q", "--filter", f"label=minipaas.app={APP}") == "", "nothing is left on this host"


@pytest.mark.needed_by_others
def test_processes_are_spread_and_every_node_answers(load, cluster):
    run("ps:scale", APP, "web=3")
    found = spread(cluster)
    assert sum(found) == 3 and max(found) < 3, found
    assert run("ps:report", APP).stdout.count(".web.") == run("ps:report", APP).stdout.count(" on node") == 3
    assert [answer(node.address) for node in cluster.nodes] == [200, 200, 200]


def test_an_upgrade_comes_to_one_node_after_the_other(load, init, cluster):
    """Another image of minipaas for the nodes, as another version makes it: here on a base that differs a little."""
    again = "mpc-base:again"
    text = f"FROM {images.base()}\nLABEL {MADE}=again\n"
    subprocess.run([nodes.DOCKER, "build", "-q", "-t", again, "-"], input=text.encode(), check=True, timeout=120)
    before = [node.exec("docker", "inspect", "-f", "{{.Image}}", "minipaas-router") for node in cluster.nodes]
    seen, ended = [], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            seen.append([answer(node.address) for node in cluster.nodes])

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        run(*init[:-1], again)
    finally:
        ended.set()
        watching.join(60)
        nodes.docker("rmi", again)
    for part in ("minipaas-router", "minipaas-agent"):
        found = [node.exec("docker", "inspect", "-f", "{{.Image}}", part) for node in cluster.nodes]
        assert len(set(found)) == 1 and not set(found) & set(before), part
    assert [codes for codes in seen if codes.count(200) < 2] == [], "two nodes answered at any moment"
    assert status()["wrong"] == [] and [answer(node.address) for node in cluster.nodes] == [200, 200, 200]


@pytest.fixture(scope="module")
def laptop(load, tmp_path_factory):
    made = Laptop(tmp_path_factory.mktemp("laptop"))
    run("ssh-keys:remove", "story", ok=False)  # of a run that was killed
    run("ssh-keys:add", "story", f"{made.folder}/id.pub")
    yield made
    run("ssh-keys:remove", "story", ok=False)


@pytest.mark.needed_by_others
def test_a_push_over_ssh_one_that_fails_and_a_rollback(laptop, cluster):
    done = laptop.push(Dockerfile=WITH_PAGE, index__html="hello\n", page__html="new\n")
    assert done.returncode == 0 and done.stderr.count("bringing the image to") == 1, done.stderr
    answered(cluster, 200)
    check = {"type": "startup", "path": "/", "attempts": 2, "wait": 2}
    wrong = {
        "Dockerfile": WITH_PAGE.replace('"5000"', '"8080"'),
        "app__json": json.dumps({"healthchecks": {"web": [check]}}),
    }
    done = laptop.push(**wrong)
    assert done.returncode and "web listens on port 8080, but PORT is 5000" in done.stderr, done.stderr
    answered(cluster, 200)
    done = laptop.ssh("releases:rollback", APP)
    assert done.returncode == 0 and "is live: rollback to v" in done.stderr, done.stderr
    answered(cluster, 0)


def test_one_off_commands_and_the_output_of_all_nodes(laptop, cluster):
    done = laptop.ssh("run", APP, "/bin/busybox", "wc", "-c", data="four")
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr
    assert laptop.ssh("run", APP, "/bin/busybox", "false").returncode == 1
    words = [*laptop.way, "-n", f"ssh://paas@{laptop.head}", f"logs {APP} -t -n 0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        stop = threading.Timer(60, child.kill)
        stop.start()
        seen = set()
        for line in child.stdout:  # the load asks all of them
            seen.add(line.split()[1])
            if seen >= {"web.1", "web.2", "web.3"}:
                break
        stop.cancel()
        child.kill()
    assert seen == {"web.1", "web.2", "web.3"}


def test_what_runs_in_an_app_reaches_the_web_but_not_what_rules_the_nodes(laptop, cluster):
    """etcd, fleet and the agents: who can ask them for something is root on every node."""
    ports = ("80", "2378", "2379", str(nodes.FLEET_PORT), "7390")
    connect = "busybox nc -w 3 ${place% *} ${place#* } -e /bin/busybox true && echo $place"
    places = [f"{node.address} {port}" for node in cluster.nodes for port in ports]
    line = f"for place in {shlex.join(places)}; do ({connect}) & done; wait"
    of_node = cluster.nodes[0].exec("sh", "-c", line.replace("busybox nc", "nc").replace("-e /bin/busybox true", "-z"))
    assert sorted(of_node.splitlines()) == sorted(places), "a node reaches all of them"
    done = laptop.ssh("run", APP, "/bin/busybox", "sh", "-c", line)
    assert sorted(done.stdout.splitlines()) == sorted(f"{node.address} 80" for node in cluster.nodes), done.stderr


def test_a_killed_change_is_put_right_by_the_next_command(laptop, cluster):
    step, when = random.Random(SEED).randint(1, STEPS), random.Random(SEED).choice(["before", "after"])
    print(f"MINIPAAS_SEED={SEED}: killed {when} step {step}")
    faults = Path("/var/lib/minipaas", kill_points.FAULTS)
    faults.write_text(f"{APP} {step} {when}\n")
    shutil.chown(faults, "paas", "paas")
    try:
        with kill_points.program():
            laptop.ssh("config:set", APP, "TURN=1")
        assert faults.read_text() == "", "it was killed there"
    finally:
        faults.unlink()
        faults.with_name("faults.seen").unlink(missing_ok=True)
    done = laptop.ssh("checks:set", APP, "wait-to-retire", "1", "--wait=60")
    assert done.returncode == 0, done.stderr
    settled(cluster, live_processes(cluster))
    assert laptop.ssh("apps:locked", APP).returncode == 1
    assert status()["wrong"] == []


def test_images_of_releases_that_are_not_kept_go_from_the_nodes(laptop, cluster):
    assert all(len(found) > 1 for found in images_on(cluster))
    run("releases:set", APP, "keep", "1")
    rows = json.loads(run("releases", APP, "--format", "json").stdout)
    live = next(row["v"] for row in rows if row["status"] == "live")
    image = json.loads(run("releases:info", APP, live, "--format", "json").stdout)["image"]
    end = time.monotonic() + 60  # a process that retires still uses one
    while (found := images_on(cluster)) != [{image}] * 3:  # every node has the one that is live
        assert time.monotonic() < end, found
        run("releases:prune", APP)


@pytest.mark.needed_by_others
def test_tags_place_an_app_and_name_the_nodes_where_none_fits(load, cluster):
    refused = run("tags:set", APP, "disk=ssd", ok=False)
    assert refused.returncode == 2 and "there are: node1: node=node1" in refused.stderr
    run("tags:set", APP, "node=node2")
    settled(cluster, [0, 3, 0])


def test_a_node_is_drained(load, cluster):
    run("tags:unset", APP, "node")
    run("cluster:drain", "node2")
    found = status()
    assert [node["drained"] for node in found["nodes"]] == [False, True, False]
    assert found["nodes"][1]["processes"] == 0 and spread(cluster)[1] == 0
    assert answer(cluster.nodes[1].address) == 200, "its router goes on"
    run("cluster:undrain", "node2")
    assert not any(node["drained"] for node in status()["nodes"])


def test_a_node_is_removed_and_made_one_again(load, cluster):
    run("cluster:remove", "node2")
    assert [node["name"] for node in status()["nodes"]] == ["node1", "node3"]
    assert cluster.nodes[1].exec("docker", "ps", "-aq") == "" and answer(cluster.nodes[1].address) == 0
    run("cluster:undrain", "node2")
    found = status()
    assert [node["name"] for node in found["nodes"]] == ["node1", "node2", "node3"] and found["wrong"] == []
    assert answer(cluster.nodes[1].address) == 200, "its router is there again"
    end = time.monotonic() + 60
    while not (found := images_on(cluster))[1] or found[1] != found[0]:
        assert time.monotonic() < end, f"it does not get the images that the others keep: {found}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def second(laptop, cluster, etcd):
    """Another host, with minipaas and without apps, which is a head too."""
    made = second_head.Host(cluster)
    try:
        made.start(cluster.certificates)
        done = made.run("cluster:join-head", *etcd)
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        remove_second(cluster)


def remove_second(cluster) -> None:
    """The cluster has one head again, if that is not so already."""
    second = second_head.Host(cluster)
    second.remove()
    run("cluster:remove", second.name, ok=False)


def test_another_host_is_a_head_too_and_takes_pushes(second, laptop, cluster):
    found = status()
    assert second.name in [head["name"] for head in found["heads"]] and found["wrong"] == []
    assert answer(second.address) == 200, "its nginx leads to the nodes"
    done = laptop.push(second.address, Dockerfile=WITH_PAGE, app__json="{}", page__html="new\n")
    assert done.returncode == 0, done.stderr
    answered(cluster, 200)
    assert laptop.ssh("releases", APP, head=second.address).stdout == laptop.ssh("releases", APP).stdout
    done = laptop.git("ls-remote", f"ssh://paas@{laptop.head}/{APP}", "main")
    assert done.stdout.split()[:1] == laptop.git("rev-parse", "main").stdout.split(), "both have the commit"


def test_a_head_dies_in_the_middle_of_a_push_and_the_other_goes_on(second, laptop, cluster):
    laptop.commit(page__html="newer\n")
    words = ["git", "-C", laptop.folder / "repo", "push", f"ssh://paas@{second.address}/{APP}", "main"]
    environment = os.environ | {"GIT_SSH_COMMAND": shlex.join(laptop.way)}
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as push:
        said = []
        for line in push.stderr:
            said.append(line)
            if "bringing the image to" in line:
                break
        refused = laptop.ssh("config:set", APP, "TURN=2")
        second.kill()
        assert push.wait(60) and refused.returncode == 75 and second.name in refused.stderr, (refused, said)
    done = laptop.ssh("config:set", APP, "TURN=2", "--wait=120")
    assert done.returncode == 0, done.stderr
    settled(cluster, live_processes(cluster))
    assert f"{second.name}: its router is not responding" in status()["wrong"]
    run("cluster:remove", second.name)
    found = status()
    assert len(found["heads"]) == 1 and found["wrong"] == []


@pytest.mark.needed_by_others
def test_the_host_comes_back_and_no_request_failed(load, cluster):
    remove_second(cluster)  # where the test in which it dies was left out
    killed_at("is up", "cluster:leave")
    run("cluster:leave")
    assert status() == {"cluster": False, "wrong": []}
    names = nodes.docker("ps", "--format", "{{.Names}}", "--filter", f"label=minipaas.app={APP}").split()
    assert len(names) == 3 and answer("127.0.0.1") == 200
    for node in cluster.nodes:
        assert APP not in node.exec("docker", "ps", "-a", "--format", "{{.Names}}")
    load.end()
    assert load.total > 500 and not load.failed, f"{len(load.failed)} of {load.total} failed: {load.failed[:10]}"

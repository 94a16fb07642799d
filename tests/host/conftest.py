"""A real host: minipaas installed on this machine, reached over real ssh, git and http, as its users do."""

import contextlib
import fcntl
import functools
import http.client
import io
import os
import random
import shlex
import shutil
import string
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import on_nodes
import pytest

DOCKER = on_nodes.DOCKER
MINIPAAS = "/usr/local/bin/minipaas"
BUSYBOX_IMAGE = "minipaas-test/busybox:1"
APPLETS = (
    "sh",
    "httpd",
    "sleep",
    "echo",
    "cat",
    "nc",
    "env",
    "true",
    "false",
    "wget",
    "tr",
    "head",
    "seq",
    "ls",
    "id",
    "printf",
    "kill",
    "mkdir",
    "stty",
)


def pytest_addoption(parser):
    parser.addoption(
        "--scheduler",
        choices=("docker", "fleet"),
        default="docker",
        help="fleet: this host joins three nodes for the run, and the same tests have their apps there",
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "host: needs a real docker or nginx")
    config.addinivalue_line("markers", "restarts_docker: stops and starts docker")
    config.addinivalue_line(
        "markers", "serial: changes or measures what all tests share, so nothing else may run meanwhile"
    )
    config.addinivalue_line("markers", "one_host: tells what only a host without a cluster does")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Before -m looks: what stops docker is alone on the host without saying it twice."""
    on_fleet = config.getoption("scheduler") == "fleet"
    for item in items:
        # The docker of this machine is what the nodes run in.
        if on_fleet and (item.get_closest_marker("one_host") or item.get_closest_marker("restarts_docker")):
            item.add_marker(pytest.mark.skip(reason="tells what only a host without a cluster does"))
        if item.get_closest_marker("restarts_docker"):
            item.add_marker(pytest.mark.serial)


def pytest_runtest_protocol(item):
    """Where several hosts share the tests (see tests/run), leave alone the files that another one has taken."""
    return None if is_ours(item.path.name) else True


@functools.cache
def is_ours(file: str) -> bool:
    folder = os.environ.get("MINIPAAS_CLAIMED")
    if not folder:
        return True
    try:
        os.mkdir(os.path.join(folder, file))
    except FileExistsError:
        return False
    return True


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the host tests need root: sudo ./tests/run", 1)
    if session.config.getoption("scheduler") == "fleet" and not is_worker(session):
        on_nodes.join()


def pytest_sessionfinish(session):
    if not is_worker(session):
        try:
            on_nodes.leave()
        except AssertionError as error:  # the tests that failed have to be told of all the same
            print(f"\n{error}", file=sys.stderr)
            session.exitstatus = 1


def is_worker(session) -> bool:
    """Whether this is one of several processes of pytest, which another one has started."""
    return hasattr(session.config, "workerinput")


class Host:
    """What a user's laptop sees: `paas@127.0.0.1` and port 80."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.key = folder / "id"
        self.key_name = "test-" + word()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", self.key], check=True)
        subprocess.run([MINIPAAS, "ssh-keys:add", self.key_name, f"{self.key}.pub"], check=True, capture_output=True)
        port = subprocess.run(["/usr/sbin/sshd", "-T"], capture_output=True, text=True).stdout
        self.port = next((line.split()[1] for line in port.splitlines() if line.startswith("port ")), "22")
        self.succeeded: set[str] = set()  # the commands that have done their work over ssh; see note_commands

    def note_commands(self) -> set[str]:
        """Add those to what the other processes of pytest have noted; all of them, for test_zz_coverage.py."""
        folder = os.environ.get("MINIPAAS_COMMANDS_USED")
        if not folder:
            return self.succeeded
        Path(folder, self.key_name).write_text("\n".join(self.succeeded))
        return {command for note in Path(folder).iterdir() for command in note.read_text().split()}

    def ssh_command(self, *options: str) -> list[str]:
        return [
            "ssh",
            "-F",
            "none",
            "-i",
            str(self.key),
            "-p",
            self.port,
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            f"UserKnownHostsFile={self.folder}/known",
            "-o",
            "LogLevel=ERROR",
            *options,
        ]

    def ssh(
        self,
        *words: str,
        input: str = "",
        ok: bool = True,
        timeout: float = 240,
        raw: str | None = None,
        options=(),
        encoding: str = "utf-8",
    ):
        """Run one of our commands over ssh, its words quoted for the far side; `raw` is sent as it is."""
        line = raw if raw is not None else " ".join(shlex.quote(word) for word in words)
        done = subprocess.run(
            [*self.ssh_command(*options), "paas@127.0.0.1", line],
            input=input.encode(encoding),
            capture_output=True,
            timeout=timeout,
        )
        done.stdout, done.stderr = (
            text.decode("utf-8", "replace") for text in (done.stdout, done.stderr)
        )  # \r stays \r
        if ok:
            assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        if done.returncode == 0:
            self.succeeded.add(line.partition(" ")[0])
        return done

    def url_host(self, app: str) -> str:
        """The first domain of an app."""
        return self.ssh("url", app).stdout.strip().removeprefix("http://").split(":")[0].split("/")[0]

    def get(
        self, host: str, path: str = "/", address: str = "127.0.0.1", port: int = 80, timeout: float = 20
    ) -> tuple[int, str]:
        """One request on a fresh connection: status and body."""
        connection = http.client.HTTPConnection(address, port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def containers(self, app: str, *, every: bool = False) -> list[str]:
        """Names of the app's containers."""
        flags = ["-a"] if every else []
        out = docker("ps", *flags, "--filter", f"label=minipaas.app={app}", "--format", "{{.Names}}")
        return sorted(out.split())


class Repo:
    """A git repository on the user's laptop."""

    def __init__(self, host: Host, folder: Path, app: str, **files: str):
        self.host, self.folder, self.app = host, folder, app
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "paas", f"ssh://paas@127.0.0.1:{host.port}/{app}")
        self.commit(**files)

    def git(self, *words: str, ok: bool = True, timeout: float = 280):
        environment = os.environ | {
            "GIT_SSH_COMMAND": shlex.join(self.host.ssh_command()),
            "GIT_AUTHOR_NAME": "t",
            "GIT_AUTHOR_EMAIL": "t@t.test",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@t.test",
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=timeout
        )
        if ok:
            assert done.returncode == 0, f"git {words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def write(self, **files: str) -> None:
        """Write files; `__` in a name is a dot, `___` a slash."""
        for name, text in files.items():
            path = self.folder / name.replace("___", "/").replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if text.startswith("#!"):
                path.chmod(0o755)

    def commit(self, **files: str) -> None:
        self.write(**files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")

    def push(self, ref: str = "main", ok: bool = True, timeout: float = 280):
        return self.git("push", "paas", ref, ok=ok, timeout=timeout)


def word(length: int = 6) -> str:
    return "".join(random.choice(string.ascii_lowercase) for _ in range(length))


def docker(*words: str, ok: bool = True, input: bytes | None = None) -> str:
    done = on_nodes.docker(words, input)
    assert not ok or done.returncode == 0, f"docker {words}: {done.stderr.decode()}"
    return done.stdout.decode()


def web(body: str = "hello", *, command: str = "exec httpd -f -p 0.0.0.0:$PORT -h /www") -> dict[str, str]:
    """The files of an app that serves `body` with busybox."""
    return {
        "Dockerfile": f'FROM {BUSYBOX_IMAGE}\nCOPY www /www\nCMD ["sh", "-c", {command!r}]\n'.replace("'", '"')
        if "'" not in command and '"' not in command
        else f'FROM {BUSYBOX_IMAGE}\nCOPY www /www\nCOPY start /start\nCMD ["sh", "/start"]\n',
        "www___index__html": body,
        **({} if "'" not in command and '"' not in command else {"start": command + "\n"}),
    }


def make_base_image() -> None:
    """A busybox image made on the spot: no registry is reachable, and none is needed."""
    with open("/bin/busybox", "rb") as busybox:  # one process of pytest makes it, the others wait
        fcntl.flock(busybox, fcntl.LOCK_EX)
        if not docker("images", "-q", BUSYBOX_IMAGE).strip():
            import_base_image()


def import_base_image() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "tmp", "www"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(info)
        tar.add("/bin/busybox", "bin/busybox")
        for applet in APPLETS:
            info = tarfile.TarInfo(f"bin/{applet}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(info)
    docker("import", "--change", "ENV PATH=/bin", "-", BUSYBOX_IMAGE, input=buffer.getvalue())


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    """The installed host, with a throwaway key of ours."""
    assert shutil.which("minipaas"), "install minipaas first: sudo ./install.sh"
    make_base_image()
    made = Host(tmp_path_factory.mktemp("laptop"))
    yield made
    made.note_commands()
    subprocess.run([MINIPAAS, "ssh-keys:remove", made.key_name], capture_output=True)


@pytest.fixture
def app(host, request):
    """The name of an app that does not exist yet; it is destroyed afterwards."""
    name = f"t-{word()}"
    yield name
    subprocess.run([MINIPAAS, "apps:destroy", name, "--force", "--now"], capture_output=True, timeout=240)


@pytest.fixture
def other_app(host):
    """A second one."""
    name = f"u-{word()}"
    yield name
    subprocess.run([MINIPAAS, "apps:destroy", name, "--force", "--now"], capture_output=True, timeout=240)


@pytest.fixture
def repo(host, app, tmp_path):
    """A repository with a working web app, not pushed yet."""
    return Repo(host, tmp_path / "repo", app, **web("hello from " + app))


class Load:
    """Requests on fresh connections, one after the other on a few threads, until it is told to stop.

    pause: seconds between the requests of a thread; what is tested needs the processor too.
    """

    def __init__(self, host: Host, name: str, path: str = "/", threads: int = 4, pause: float = 0.02):
        self.host, self.name, self.path, self.threads, self.pause = host, name, path, threads, pause
        self.done, self.failed = 0, []
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                status, body = self.host.get(self.name, self.path)
                problem = None if status == 200 else f"{status}: {body[:80]}"
            except OSError as error:
                problem = repr(error)
            except http.client.HTTPException as error:
                problem = repr(error)
            with self._lock:
                self.done += 1
                if problem:
                    self.failed.append((time.time(), problem))
            time.sleep(self.pause)

    @contextlib.contextmanager
    def running(self):
        workers = [threading.Thread(target=self._run) for _ in range(self.threads)]
        for worker in workers:
            worker.start()
        try:
            yield self
        finally:
            self._stop.set()
            for worker in workers:
                worker.join(30)


PATIENCE = (
    3  # times what a quiet machine needs at most: CI's may be slow and busy, and waiting costs only who waits in vain
)


def wait_for(condition, seconds: float = 30, every: float = 0.1):
    """Poll until the condition holds, and return what it said; fails after `seconds` of a quiet machine."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        if found := condition():
            return found
        assert time.monotonic() < end, "waited in vain"
        time.sleep(every)

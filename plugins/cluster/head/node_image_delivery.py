"""Make the image of minipaas that nodes run, and bring it to them before anything of ours is there.

The nodes fetch it from this host over plain HTTP from a path that nobody can guess, and see by its SHA-256 that it is
what this host offers. There is nothing secret in it.
"""

import os
import re
import time

from minipaas_lib import api
from plugins.cluster.engine import Machines
from plugins.cluster.head import node_image

UNIT = "minipaas-image"
BUILD_TIMEOUT = 900  # seconds
LOAD_TIMEOUT = 900  # seconds for all nodes
DOCKER = "/usr/bin/docker"


def make(cluster: "api.kernel.cluster.ClusterSettings", base: str, fleet: str) -> str:
    """Build the image for the nodes of that cluster, unless it is there; its name. Raises errors.Unavailable."""
    import shutil
    import tempfile

    program = api.paths.source()
    if not os.path.isfile(program):
        raise api.errors.Unavailable(
            "nodes run the bundled program, but this is a checkout", "bundle it: sudo ./install.sh"
        )
    texts = {"Dockerfile": node_image.dockerfile(base), "cluster.toml": node_image.cluster_file(cluster, fleet)}
    name = f"{node_image.REPOSITORY}:{_version()}-{_digest(program, texts)}"
    if docker("images", "--quiet", name).strip():
        return name
    with tempfile.TemporaryDirectory(prefix="minipaas-node-") as folder:
        shutil.copyfile(program, os.path.join(folder, "minipaas"))
        os.chmod(os.path.join(folder, "minipaas"), 0o755)
        for file, text in texts.items():
            with open(os.path.join(folder, file), "w", encoding="utf-8") as out:
                out.write(text)
        docker("build", "--quiet", "--tag", name, folder, timeout=BUILD_TIMEOUT)
    return name


def bring(machines: Machines, name: str, address: str) -> None:
    """Have the image on every machine of the cluster, from this host at `address`. Raises errors.Unavailable."""
    import secrets

    archive = api.paths.cache("node-image.tar")
    os.makedirs(api.paths.cache(), mode=0o700, exist_ok=True)
    docker("save", "--output", archive, name, timeout=BUILD_TIMEOUT)
    path = secrets.token_hex(16)
    server = _serve(archive, "/" + path, address)
    try:
        url = f"http://{address}:{server.server_address[1]}/{path}"
        machines.once(UNIT, line(name, url, _sha256(archive)))
        _wait(machines)
    finally:
        machines.remove(UNIT)
        server.shutdown()
        server.server_close()
        os.unlink(archive)


def line(name: str, url: str, sha256: str) -> str:
    """What a node runs to have the image. Nothing in it means anything to a shell but what is meant to. Pure."""
    if not re.fullmatch("[A-Za-z0-9._:/-]+", name + url + sha256):
        raise api.errors.UsageError(f"{api.names.safe(name)} cannot be sent to nodes")
    file = f"/var/tmp/{UNIT}-{sha256[:12]}.tar"
    return (
        f"{DOCKER} image inspect {name} >/dev/null 2>&1 || {{ "
        f"curl -fsS --retry 5 --connect-timeout 10 --max-time 600 -o {file} {url} "
        f"&& echo '{sha256}  {file}' | sha256sum -c - "
        f"&& {DOCKER} load -q -i {file}; code=$?; rm -f {file}; [ $code = 0 ] || exit $code; }}; "
        f"exec {DOCKER} tag {name} {node_image.CURRENT}"
    )


def _wait(machines: Machines) -> None:
    """Until every machine has run the line. Raises errors.Unavailable with the first that could not, or is late."""
    end = time.monotonic() + LOAD_TIMEOUT
    while True:
        names = {machine.id: machine.metadata.get("node", machine.id[:8]) for machine in machines.members()}
        outcomes = machines.outcomes(UNIT)
        if failed := [names[one] for one, outcome in outcomes.items() if outcome == "failed" and one in names]:
            raise api.errors.Unavailable(
                f"{failed[0]} could not load the image of minipaas: docker must run there and reach this host",
                f"on that node: journalctl -u {UNIT}",
            )
        missing = [names[one] for one in names if outcomes.get(one) != "done"]
        if names and not missing:
            return
        if time.monotonic() > end:
            raise api.errors.Unavailable(
                f"{', '.join(missing) or 'no node'} did not load the image within {LOAD_TIMEOUT} seconds",
                "cluster:status",
            )
        time.sleep(1)


def _serve(archive: str, path: str, address: str):
    """A server that gives the archive to who knows the path, in a thread."""
    import http.server
    import shutil
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 60

        def do_GET(self) -> None:  # http.server names it so
            if self.path != path:
                self.send_error(404)
                return
            with open(archive, "rb") as file:
                self.send_response(200)
                self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
                self.end_headers()
                shutil.copyfileobj(file, self.wfile, 1 << 20)

        def log_message(self, *_: object) -> None:
            pass

    try:
        server = http.server.ThreadingHTTPServer((address, 0), Handler)
    except OSError as error:
        raise api.errors.UsageError(
            f"{api.names.safe(address)} is not an address of this host: {error.strerror}", "cluster:init --address <ip>"
        ) from None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def is_ours(address: str) -> bool:
    """Whether it is an IP address of this host."""
    import socket

    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return bool(address)  # the empty one stands for all of them


def own_address(urls: tuple[str, ...]) -> str:
    """The IP address by which this host reaches the first of the addresses. Raises errors.UsageError."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(urls[0])
    try:
        family, kind, _, _, where = socket.getaddrinfo(parts.hostname, parts.port or 2379, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(where)  # nothing is sent
            return probe.getsockname()[0]
    except OSError as error:
        raise api.errors.UsageError(
            f"{urls[0]} cannot be reached: {error.strerror}", "cluster:init --address <ip>"
        ) from None


def docker(*words: str, timeout: float = 60) -> str:
    """What docker printed. Raises errors.Unavailable."""
    try:
        return api.kernel.programs.run(DOCKER, *words, timeout=timeout)
    except api.kernel.programs.Failed as error:
        message = " ".join((error.err.strip() or error.out.strip()).split())[-500:]
        raise api.errors.Unavailable(f"docker {words[0]} failed: {message}", "doctor") from None


def _version() -> str:
    import minipaas_lib

    return re.sub("[^A-Za-z0-9.]", "-", minipaas_lib.__version__)


def _digest(program: str, texts: dict[str, str]) -> str:
    import hashlib

    made = hashlib.sha256(_sha256(program).encode())
    for file in sorted(texts):
        made.update(f"\0{file}\0{texts[file]}".encode())
    return made.hexdigest()[:12]


def _sha256(path: str) -> str:
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

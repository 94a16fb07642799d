"""Images that are a Debian with some packages, made once by mmdebstrap: no registry is reachable here."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.cluster.outer import DOCKER, Failed, docker

PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNUSED = ("doc", "man", "locale", "info")  # of /usr/share


def image(name: str, packages: str, customize: Path | None = None, release: str = "bookworm") -> str:
    """The tag of the image `name` with these packages, changed by the script `customize`; made in 30 to 50 s.

    Raises Failed.
    """
    parts = [packages.encode(), release.encode(), *([customize.read_bytes()] if customize else [])]
    tag = f"{name}:{hashlib.sha256(bytes(1).join(parts)).hexdigest()[:12]}"
    with open(Path(tempfile.gettempdir(), f"minipaas-image-{os.path.basename(name)}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several runs one makes it, and the others wait
        if not docker("images", "-q", tag).strip():
            _make(tag, packages, customize, release)
    return tag


def _make(tag: str, packages: str, customize: Path | None, release: str) -> None:
    make = shutil.which("mmdebstrap")
    if not make:
        raise Failed("mmdebstrap is missing: apt-get install mmdebstrap")
    command = [make, "--mode=root", "--variant=apt", f"--include={','.join(packages.split())}"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in UNUSED]
    command += [f"--customize-hook={customize}"] if customize else []
    with subprocess.Popen([*command, release, "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as making:
        importing = subprocess.Popen(
            [DOCKER, "import", "--change", PATH, "-", tag], stdin=making.stdout, stdout=subprocess.DEVNULL
        )
        making.stdout.close()
        said = making.stderr.read().decode(errors="replace")
        imported = importing.wait(300)
    if making.returncode or imported:
        docker("rmi", tag, check=False)
        raise Failed(f"no image {tag} could be made: {said[-3000:]}")

"""Images that are a Debian with some packages, made once by mmdebstrap: no registry is reachable here."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.cluster.outer import Failed, docker

PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNUSED = ("doc", "man", "locale", "info")  # of /usr/share


def image(name: str, packages: str, customize: Path | None = None, release: str = "bookworm") -> str:
    """The tag of the image `name` with these packages, changed by the script `customize`; made in 30 to 50 s.

    Where save() has made it already, that is taken. Raises Failed.
    """
    tag = _tag(name, packages, customize, release)
    with _one_at_a_time(name):
        if not docker("images", "-q", tag).strip():
            archive = _archive(tag)
            if not archive.exists():
                _make(archive, packages, customize, release)
            docker("import", "--change", PATH, str(archive), tag, timeout=300)
            archive.unlink()
    return tag


def save(name: str, packages: str, customize: Path | None = None, release: str = "bookworm") -> None:
    """Make what image() will want, without docker. Raises Failed."""
    with _one_at_a_time(name):
        _make(_archive(_tag(name, packages, customize, release)), packages, customize, release)


def _tag(name: str, packages: str, customize: Path | None, release: str) -> str:
    parts = [packages.encode(), release.encode(), *([customize.read_bytes()] if customize else [])]
    return f"{name}:{hashlib.sha256(bytes(1).join(parts)).hexdigest()[:12]}"


def _archive(tag: str) -> Path:
    return Path(os.environ.get("MINIPAAS_IMAGES") or tempfile.gettempdir(), tag.replace("/", "_") + ".tar")


@contextlib.contextmanager
def _one_at_a_time(name: str):
    """Of several who want an image one makes it, and the others wait."""
    with open(Path(tempfile.gettempdir(), f"minipaas-image-{os.path.basename(name)}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(archive: Path, packages: str, customize: Path | None, release: str) -> None:
    make = shutil.which("mmdebstrap")
    if not make:
        raise Failed("mmdebstrap is missing: apt-get install mmdebstrap")
    command = [make, "--mode=root", "--variant=apt", "--format=tar", f"--include={','.join(packages.split())}"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in UNUSED]
    command += [f"--customize-hook={customize}"] if customize else []
    part = archive.with_suffix(".part")
    done = subprocess.run([*command, release, str(part)], capture_output=True)
    if done.returncode:
        part.unlink(missing_ok=True)
        raise Failed(f"no {archive.name} could be made: {done.stderr.decode(errors='replace')[-3000:]}")
    part.rename(archive)

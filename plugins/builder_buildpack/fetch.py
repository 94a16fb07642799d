"""Fetch buildpacks with git, as this user, bounded in time and size.

They are untrusted: nothing of them runs here.
"""

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

from minipaas_lib import api
from plugins.builder_buildpack import usable
from plugins.builder_buildpack.references import Reference

TIMEOUT = 300.0  # seconds for one fetch
SIZE_LIMIT = 128 << 20  # bytes of what git stores for one fetch
FILES_LIMIT = 5000  # files of one buildpack
CONTENT_LIMIT = 128 << 20  # bytes in them
OURS = {
    "node": ("detect", "compile", "release"),
    "procfile": ("detect", "compile"),
    "python": ("detect", "compile"),
    "static": ("detect", "compile", "release"),
}
# What is fetched is checked, so that no tree can name `..`; what old repositories carry is let through (git-fsck(1)).
_HARMLESS = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "zeroPaddedFilemode",
)
_PASSED = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


class Pack(NamedTuple):
    """A fetched buildpack. `commit` is empty for a built-in one, which comes with minipaas."""

    reference: Reference
    commit: str = ""
    clone: str = ""  # the folder of a bare repository that has the commit

    @property
    def text(self) -> str:
        return f"{self.reference.place}#{self.commit}" if self.commit else self.reference.text


def get(reference: Reference, pinned: str, downloads: dict[str, str], ca_file: str) -> Pack:
    """The buildpack at its pinned commit, or without one at what its reference says now.

    downloads: variables for downloads, of which git gets the proxies; ca_file: certificates to trust in place of the
    usual ones, or "". Raises errors.BuildFailed, errors.Denied for a folder of this host that may not be used,
    errors.Unavailable.
    """
    if reference.kind == "ours":
        return Pack(reference)
    if reference.kind == "path":
        try:
            usable.folder(reference)
        except api.errors.UsageError as error:
            raise api.errors.BuildFailed(error.message, error.hint) from None
    clone = api.paths.cache("buildpacks", hashlib.sha256(reference.place.encode()).hexdigest()[:32] + ".git")
    env = _environment(reference, downloads, ca_file)
    with _locked(clone, reference):
        if not os.path.isdir(os.path.join(clone, "objects")):
            _init(clone, env)
        commit = pinned if pinned and _has(clone, pinned, env) else _fetch(clone, reference, pinned, env)
    return Pack(reference, commit, clone)


def files(pack: Pack) -> Iterator:
    """(tarfile.TarInfo, file or None) for everything in a buildpack, named from its top.

    Raises errors.BuildFailed if it is too large.
    """
    import io
    import tarfile

    if not pack.commit:
        for name in OURS[pack.reference.place]:
            path = f"buildpacks/{pack.reference.place}/bin/{name}"
            data = api.paths.resource(f"plugins/builder_buildpack/{path}")
            about = tarfile.TarInfo(f"bin/{name}")
            about.mode, about.size = 0o755, len(data)
            yield about, io.BytesIO(data)
        return
    command = ["git", f"--git-dir={pack.clone}", "archive", "--format=tar", pack.commit]
    process = subprocess.Popen(
        command, env=_environment(pack.reference, {}, ""), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert process.stdout
    try:
        count = size = 0
        with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
            for about in tar:
                count, size = count + 1, size + about.size
                if count > FILES_LIMIT or size > CONTENT_LIMIT:
                    said = (
                        f"the buildpack {pack.reference.text} has more than {FILES_LIMIT} files or "
                        f"{CONTENT_LIMIT >> 20} MiB"
                    )
                    raise api.errors.BuildFailed(said, "choose another one")
                if about.isreg() or about.isdir() or about.issym():
                    yield about, tar.extractfile(about) if about.isreg() else None
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


def _environment(reference: Reference, downloads: dict[str, str], ca_file: str) -> dict[str, str]:
    """git's environment, without that of an enclosing hook, and with only the reference's protocol allowed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    kept |= {name: value for name, value in downloads.items() if name.lower() in _PASSED}
    ours = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    ours["GIT_ALLOW_PROTOCOL"] = "file" if reference.kind == "path" else "https"
    if (
        reference.kind == "path"
    ):  # git reads no repository of another user unless told; the folder is the administrator's
        ours["GIT_CONFIG_GLOBAL"] = api.paths.cache("buildpacks", "gitconfig")
    if ca_file:
        ours["GIT_SSL_CAINFO"] = ca_file
    return {**kept, **ours}


@contextlib.contextmanager
def _locked(clone: str, reference: Reference):
    """One fetch at a time into a clone, which apps share."""
    os.makedirs(os.path.dirname(clone), mode=0o700, exist_ok=True)
    config = api.paths.cache("buildpacks", "gitconfig")
    if not os.path.exists(config):
        with open(f"{config}.{os.getpid()}", "w", encoding="ascii") as file:
            file.write("[safe]\n\tdirectory = *\n")
        os.rename(f"{config}.{os.getpid()}", config)
    deadline = time.monotonic() + TIMEOUT
    with open(clone + ".lock", "w", encoding="ascii") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    said = f"another build has been fetching {reference.place} for {TIMEOUT / 60:.0f} minutes"
                    raise api.errors.Unavailable(said, "push again later") from None
                time.sleep(0.2)
        yield


def _init(clone: str, env: dict[str, str]) -> None:
    fresh = clone + ".new"  # a killed one is only begun again
    _git(["init", "--quiet", "--bare", "--template=", fresh], env)
    os.rename(fresh, clone)


def _has(clone: str, commit: str, env: dict[str, str]) -> bool:
    try:
        _git([f"--git-dir={clone}", "cat-file", "-e", commit + "^{tree}"], env)
    except api.errors.BuildFailed:
        return False
    return True


def _fetch(clone: str, reference: Reference, pinned: str, env: dict[str, str]) -> str:
    """Fetch one commit without its history, and keep it; its name."""
    place, target = f"--git-dir={clone}", pinned or reference.ref or "HEAD"
    api.output.info(f"fetching {reference.place}" + (f" at {target[:40]}" if target != "HEAD" else ""))
    checks = ["-c", "gc.auto=0", "-c", "fetch.fsckObjects=true", "-c", "protocol.version=2"]
    for harmless in _HARMLESS:
        checks += ["-c", f"fetch.fsck.{harmless}=ignore"]
    words = [
        place,
        *checks,
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        "--force",
        "--",
    ]

    def fetch(url: str, options: list[str]) -> None:
        _git([*options, *words, url, f"{target}:refs/fetched"], env)

    try:
        api.kernel.destinations.for_git(reference.place, fetch, env=env)
    except api.kernel.destinations.Refused as error:
        raise api.errors.BuildFailed(
            f"the buildpack {reference.text} cannot be fetched: {error.message}", error.hint
        ) from None
    except api.errors.BuildFailed as error:
        said = f"the buildpack {reference.text} cannot be fetched" + (
            f" at its pinned commit {pinned[:10]}" if pinned else ""
        )
        raise api.errors.BuildFailed(
            f"{said}: {error.message}",
            api.kernel.downloads.in_build(error.message, "--global")
            or "check its address; at most 128 MiB are fetched",
        ) from None
    commit = _git([place, "rev-parse", "--verify", "refs/fetched^{commit}"], env).decode().strip()
    _git([place, "update-ref", f"refs/kept/{commit}", commit], env)
    return commit


def _git(arguments: list[str], env: dict[str, str]) -> bytes:
    """git's stdout. Raises errors.BuildFailed with git's words, errors.Unavailable."""
    limited = ["/usr/bin/prlimit", f"--fsize={SIZE_LIMIT}", "--"] if os.access("/usr/bin/prlimit", os.X_OK) else []
    try:
        process = subprocess.Popen(
            [*limited, "git", *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise api.errors.Unavailable(
            "git is not installed on this host", "on the host: sudo apt-get install git"
        ) from None
    assert process.stdout and process.stderr
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise api.errors.BuildFailed(f"no answer within {TIMEOUT / 60:.0f} minutes") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # git leaves the transfer to children
        process.wait()
        process.stdout.close()
        process.stderr.close()
    if process.returncode:
        lines = [line.strip() for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines or ["git gave no reason"]
        raise api.errors.BuildFailed(api.output.tame(telling[0].removeprefix("fatal: ").removeprefix("error: "))[:300])
    return out

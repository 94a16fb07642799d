"""Make commits without a push: from the files of an archive, the name of an image, or another repository.

Files go straight into git's object store (git-fast-import(1)), so none is written to a path that somebody else chose.
They are quarantined like those of a push (git-receive-pack(1)), so a refusal half-way leaves nothing behind.
"""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from minipaas_lib import caller, errors, names, paths
from minipaas_lib.git import git, quarantine, remote_url, remotes

INCOMING = "refs/minipaas/incoming"
SYNCED = "refs/minipaas/synced"
_PIECE = 64 * 1024  # bytes


@dataclass(frozen=True)
class Entry:
    """One file of a new commit, with a checked path (model.entries).

    A last entry with an empty path and `same_as` makes that folder the root of the commit.
    """

    path: str
    mode: str  # "100644", "100755", or "120000" for a symbolic link, whose content is its target
    size: int  # bytes
    read: Callable[[int], bytes] | None = None  # read(limit) -> at most that many bytes of the content
    same_as: str = ""  # instead of a content: the path of an earlier entry to copy


def commit_tree(
    app: str, entries: Iterable[Entry], message: str, author: str, parent: str | None, keep: bool = False
) -> str:
    """Make a commit of `entries` on top of `parent` and return it, or `parent` itself if nothing differs.

    author: str, as `name <email>`; keep: bool, whether the parent's files stay. The caller is inside `incoming`.
    Raises what reading an entry raises, leaving nothing behind; errors.Unavailable if git cannot write.
    """
    folder = paths.repository(app)
    with quarantine.quarantine(folder) as place:
        commit = _import(folder, place, entries, _head(message, author, parent, keep))
        env = place.environment()
        trees = git.run(
            [f"--git-dir={folder}", "rev-parse", f"{commit}^{{tree}}", f"{parent or commit}^{{tree}}"], env
        ).split()
        if parent and trees[0] == trees[1]:
            return parent
        place.release()
    git.run([f"--git-dir={folder}", "update-ref", INCOMING, commit])
    return commit


def fetch_commit(app: str, url: str, ref: str, trusted: bool = False) -> tuple[str, str]:
    """Fetch a commit from another repository; return it, and the name of the branch if `ref` is one, else "".

    ref: str, a branch, a tag or a commit; empty: the default branch. trusted: it may be on this host itself (see
    destinations). The caller is inside `incoming`. Raises errors.MinipaasError if it cannot be fetched, leaving
    nothing behind.
    """
    folder = paths.repository(app)
    fetched = os.path.join(folder, "FETCH_HEAD")
    with quarantine.quarantine(folder) as place:
        env = place.environment() | remotes.environment(app)
        is_commit = re.fullmatch("[0-9a-f]{40}", ref)
        try:
            try:
                remotes.fetch(folder, url, [ref or "HEAD"], env, trusted)
            except git.GitFailed:
                if not is_commit:  # most servers, but not all, serve a commit by its name
                    raise
                remotes.fetch(folder, url, ["refs/heads/*", "refs/tags/*"], env, trusted)
            with open(fetched, encoding="utf-8", errors="replace") as file:
                branch = re.search("\tbranch '([^']*)' of ", file.readline())
            name = ref if is_commit else "FETCH_HEAD"
            commit = (
                git.run([f"--git-dir={folder}", "rev-parse", "--verify", f"{name}^{{commit}}"], env).decode().strip()
            )
        except git.GitFailed as error:
            shown = names.safe(ref) if ref else "it"
            raise errors.MinipaasError(
                f"{shown} cannot be fetched from {names.safe(remote_url.without_password(url))}: {error.message}",
                "check the URL and the ref",
            ) from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fetched)
        place.release()
    git.run([f"--git-dir={folder}", "update-ref", INCOMING, commit])
    return commit, branch[1] if branch and not is_commit else ""


def synced(app: str) -> str:
    """The commit that was last synced and handled; empty if none was."""
    try:
        return (
            git.run([f"--git-dir={paths.repository(app)}", "rev-parse", "--verify", "--quiet", SYNCED]).decode().strip()
        )
    except git.GitFailed:
        return ""


def set_synced(app: str, commit: str) -> None:
    """Remember that the commit was synced and handled."""
    git.run([f"--git-dir={paths.repository(app)}", "update-ref", SYNCED, commit])


def author_line(name: str = "", email: str = "") -> str:
    """`name <email>`, by default of the command's caller. Raises errors.UsageError."""
    name = name or caller.key()
    email = email or f"{paths.PAAS_USER}@{caller.host()}"
    if len(name) > 200 or not name.isprintable() or re.search("[<>]", name) or not name.strip(" .,:;'\""):
        raise errors.UsageError(f"{names.safe(name)} cannot be an author's name", 'give a name such as: "Anna Smith"')
    if not re.fullmatch(r"[^\s<>]{1,200}", email) or not email.isprintable():
        raise errors.UsageError(
            f"{names.safe(email)} cannot be an email address", "give an address such as: anna@example.org"
        )
    return f"{name.strip()} <{email}>"


def file_of(app: str, commit: str, path: str, limit: int) -> bytes | None:
    """The content of a file of a checked commit; None if there is no such file, or it is larger than `limit`."""
    name, folder = f"{commit}:{path}", f"--git-dir={paths.repository(app)}"
    try:
        size = int(git.run([folder, "cat-file", "-s", name]))
        return git.run([folder, "cat-file", "blob", name]) if size <= limit else None
    except git.GitFailed:
        return None


def drop_incoming(app: str) -> None:
    """Drop a commit that was not deployed; a release keeps its commit by a ref of its own."""
    if os.path.lexists(os.path.join(paths.repository(app), INCOMING)):
        git.run([f"--git-dir={paths.repository(app)}", "update-ref", "-d", INCOMING])


def _head(message: str, author: str, parent: str | None, keep: bool) -> bytes:
    """The header of the commit in fast-import's format."""
    text = message.encode()
    identity = f"{author} {int(time.time())} +0000"
    lines = [f"commit {INCOMING}", "mark :1", f"author {identity}", f"committer {identity}", f"data {len(text)}"]
    head = "\n".join(lines).encode() + b"\n" + text + b"\n"
    if parent:
        head += f"from {parent}\n".encode()
    return head if keep else head + b"deleteall\n"


def _import(folder: str, place: "quarantine.Quarantine", entries: Iterable[Entry], head: bytes) -> str:
    """Feed git-fast-import one commit and return its name."""
    marks = os.path.join(place.folder, "marks")
    # The ref that it writes is useless outside the quarantine, so it goes to a scratch repository there.
    command = [
        "git",
        f"--git-dir={place.scratch()}",
        "fast-import",
        "--quiet",
        "--done",
        "--force",
        "--big-file-threshold=4m",
        f"--export-marks={marks}",
    ]
    with open(os.path.join(place.folder, "log"), "w+b") as log:
        process = subprocess.Popen(
            command, env=place.environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
        )
        assert process.stdin
        try:
            try:
                process.stdin.write(head)
                for entry in entries:
                    _write(process.stdin, entry)
                process.stdin.write(b"\ndone\n")
                process.stdin.close()
            except BrokenPipeError:  # it has ended, and its output says why
                process.wait(git.TIMEOUT)
            if process.wait(git.TIMEOUT):
                log.seek(0)
                raise errors.Unavailable(
                    f"git cannot store the files: {git.error_line(log.read(4096))}", "look for a full disk: doctor"
                )
        finally:
            if process.poll() is None:
                process.kill()
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()
    with open(marks, encoding="ascii") as file:
        return file.readline().split()[1]


def _write(stream, entry: Entry) -> None:
    """Write one file in fast-import's format."""
    if entry.same_as:
        stream.write(b"C " + quoted(entry.same_as) + b" " + quoted(entry.path) + b"\n")
        return
    stream.write(f"M {entry.mode} inline ".encode() + quoted(entry.path) + f"\ndata {entry.size}\n".encode())
    left = entry.size
    while left:
        piece = entry.read(min(left, _PIECE)) if entry.read else b""
        if not piece:
            raise errors.InvalidFile(f"the file {names.safe(entry.path)} is cut off", "send it again")
        stream.write(piece)
        left -= len(piece)
    stream.write(b"\n")


def quoted(path: str) -> bytes:
    """A path as fast-import reads it: in double quotes, with C's escapes."""
    escaped = path.encode("utf-8", "surrogateescape").replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + escaped.replace(b"\n", b"\\n").replace(b"\r", b"\\r") + b'"'

"""Make a commit of what did not come with a push: the files of an archive, or the name of an image.

Files go straight into git's own store (git-fast-import(1)): none is ever written to a path that somebody else chose.
They wait in a quarantine as those of a push do (git-receive-pack(1)), so what is refused half-way leaves nothing.
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
    """One file of a commit to be. Its path has been checked (model.entries).

    As the last entry, one with an empty path and `same_as` makes that folder the top of the commit.
    """

    path: str
    mode: str  # "100644", "100755", or "120000" for a symbolic link, whose content is its target
    size: int  # bytes
    read: Callable[[int], bytes] | None = None  # read(limit) -> at most that many bytes of the content
    same_as: str = ""  # instead of a content: the path of an earlier entry, which is copied


def commit_tree(
    app: str, entries: Iterable[Entry], message: str, author: str, parent: str | None, keep: bool = False
) -> str:
    """Make a commit of `entries` on top of `parent`, and return it; `parent` itself where nothing differs.

    author: str, as `name <email>`; keep: bool, whether the parent's files stay. The caller is inside `incoming`.
    Raises what reading an entry raises, and then nothing is left; errors.Unavailable when git cannot write.
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
    """Get a commit from another repository: it, and the branch that `ref` is there, or an empty string.

    ref: str, a branch, a tag or a commit; empty: what the other side gives to a clone. trusted: it may be on this
    host itself (see destinations). The caller is inside `incoming`.
    Raises errors.MinipaasError for what cannot be got, and then nothing is left.
    """
    folder = paths.repository(app)
    fetched = os.path.join(folder, "FETCH_HEAD")
    with quarantine.quarantine(folder) as place:
        env = place.environment() | remotes.environment(app)
        whole = re.fullmatch("[0-9a-f]{40}", ref)
        try:
            try:
                remotes.fetch(folder, url, [ref or "HEAD"], env, trusted)
            except git.GitFailed:
                if not whole:  # most servers, not all of them, give a commit by its name
                    raise
                remotes.fetch(folder, url, ["refs/heads/*", "refs/tags/*"], env, trusted)
            with open(fetched, encoding="utf-8", errors="replace") as file:
                branch = re.search("\tbranch '([^']*)' of ", file.readline())
            name = ref if whole else "FETCH_HEAD"
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
    return commit, branch[1] if branch and not whole else ""


def synced(app: str) -> str:
    """The commit that was last synced and dealt with; empty where none was."""
    try:
        return (
            git.run([f"--git-dir={paths.repository(app)}", "rev-parse", "--verify", "--quiet", SYNCED]).decode().strip()
        )
    except git.GitFailed:
        return ""


def set_synced(app: str, commit: str) -> None:
    """Remember that the commit was synced and dealt with."""
    git.run([f"--git-dir={paths.repository(app)}", "update-ref", SYNCED, commit])


def author_line(name: str = "", email: str = "") -> str:
    """`name <email>`, by default that of who typed the command. Raises errors.UsageError."""
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
    """The content of a file of a commit, which was checked; None where it has none of that path, or a larger one."""
    name, folder = f"{commit}:{path}", f"--git-dir={paths.repository(app)}"
    try:
        size = int(git.run([folder, "cat-file", "-s", name]))
        return git.run([folder, "cat-file", "blob", name]) if size <= limit else None
    except git.GitFailed:
        return None


def drop_incoming(app: str) -> None:
    """Let go of what came in and was not deployed; a release keeps its commit by a name of its own."""
    if os.path.lexists(os.path.join(paths.repository(app), INCOMING)):
        git.run([f"--git-dir={paths.repository(app)}", "update-ref", "-d", INCOMING])


def _head(message: str, author: str, parent: str | None, keep: bool) -> bytes:
    """The beginning of the commit in fast-import's language."""
    text = message.encode()
    who = f"{author} {int(time.time())} +0000"
    lines = [f"commit {INCOMING}", "mark :1", f"author {who}", f"committer {who}", f"data {len(text)}"]
    head = "\n".join(lines).encode() + b"\n" + text + b"\n"
    if parent:
        head += f"from {parent}\n".encode()
    return head if keep else head + b"deleteall\n"


def _import(folder: str, place: "quarantine.Quarantine", entries: Iterable[Entry], head: bytes) -> str:
    """Feed git-fast-import with one commit and return its name."""
    marks = os.path.join(place.folder, "marks")
    # The ref that it writes is of no use outside the quarantine, so it goes to a repository that is all quarantine.
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
    with open(os.path.join(place.folder, "said"), "w+b") as said:
        process = subprocess.Popen(
            command, env=place.environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )
        assert process.stdin
        try:
            try:
                process.stdin.write(head)
                for entry in entries:
                    _write(process.stdin, entry)
                process.stdin.write(b"\ndone\n")
                process.stdin.close()
            except BrokenPipeError:  # it has ended, and says why
                process.wait(git.TIMEOUT)
            if process.wait(git.TIMEOUT):
                said.seek(0)
                raise errors.Unavailable(
                    f"git cannot store the files: {git.said(said.read(4096))}", "look for a full disk: doctor"
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
    """One file in fast-import's language."""
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

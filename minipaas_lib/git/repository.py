"""The bare git repository of an app: create it, keep the commits of its releases, look things up.

Each release vN keeps its commit alive as refs/minipaas/vN, which neither clones nor pushes see. This module is the
public face of this room: what others need of it is imported here.
"""

import contextlib
import os

from minipaas_lib import errors, folders, output, paths
from minipaas_lib.git import git, repository_in_use, tree
from minipaas_lib.git.checkout import checkout
from minipaas_lib.git.commits import author_line, commit_tree, drop_incoming, fetch_commit, file_of, set_synced, synced
from minipaas_lib.git.quarantine import link_objects
from minipaas_lib.records import limits
from minipaas_lib.toolkit import durable_file
from minipaas_lib.untrusted_files import read_file

__all__ = [
    "author",
    "author_line",
    "checkout",
    "commit_tree",
    "commits_between",
    "create",
    "drop_incoming",
    "drop_release",
    "fetch_commit",
    "file_of",
    "follow",
    "has_commit",
    "head_branch",
    "head_commit",
    "head_of",
    "keep_commit",
    "kept_commits",
    "read_file",
    "remove",
    "set_head",
    "set_synced",
    "subject",
    "synced",
    "tidy",
]

# git push --atomic is not offered: a deploy is not undone because another reference is refused.
# Pushed objects are checked, so that no tree can name `.git` or `..`. Harmless faults in the history of old
# repositories (git-config(1), receive.fsck) are allowed.
CONFIG = """\
# Written by minipaas, and put back when changed.
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[transfer]
\thideRefs = refs/minipaas
\tfsckObjects = true
[receive]
\tadvertisePushOptions = true
\tadvertiseAtomic = false
\tdenyDeletes = false
\tdenyNonFastForwards = false
\tmaxInputSize = {size}
[receive "fsck"]
{harmless}[fetch "fsck"]
{harmless}[gc]
\tautoPackLimit = 50
"""
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


_QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")


def config() -> bytes:
    """The config of every app's repository."""
    harmless = "".join(f"\t{fault} = ignore\n" for fault in _HARMLESS)
    return CONFIG.format(size=limits.limits().size, harmless=harmless).encode()


def create(app: str) -> str:
    """Ensure that the app's repository exists with our config and hooks, and return its folder. Idempotent.

    Raises errors.Unavailable when the disk refuses. A kill leaves either no repository or a complete one.
    """
    try:
        return create_at(paths.repository(app))
    except OSError as error:
        raise errors.Unavailable(
            f"the repository of {app} cannot be written: {error.strerror}",
            "look for a full disk or a wrong owner: doctor",
        ) from None


def create_at(folder: str) -> str:
    """Like create, in any folder. Raises OSError."""
    if not os.path.isdir(os.path.join(folder, "objects")):
        _create_new(folder)
    _put(os.path.join(folder, "config"), config(), 0o600)
    os.makedirs(os.path.join(folder, "hooks"), mode=0o700, exist_ok=True)
    for hook in ("update", "pre-receive"):  # the ssh entry looks for the latter
        _put(os.path.join(folder, "hooks", hook), paths.resource(f"hooks/{hook}"), 0o700)
    return folder


def remove(app: str) -> None:
    """Remove the app's repository, if there is one."""
    folders.remove(paths.repository(app))


def keep_commit(app: str, commit: str, number: int) -> None:
    """Keep the commit as that of release vN, whether the push that brought it succeeds or fails.

    In a pre-receive hook the new objects are in git's quarantine (git-receive-pack(1)), which is removed when the push
    fails and moved when it succeeds. They are linked into the repository itself under the names that git's own move
    would give them. The ref comes last, so a kill leaves at most objects for git gc.
    Raises errors.InvalidFile for a forbidden tree (see tree.check), errors.MinipaasError for an object that is not a
    commit, or a push from a shallow clone that lacks history, errors.Unavailable.
    """
    folder = paths.repository(app)
    if empty := check_commit(folder, commit):
        from minipaas_lib.git import submodules

        submodules.name_empty(empty)
    quarantine = os.environ.get("GIT_QUARANTINE_PATH", "")
    objects = os.path.realpath(os.path.join(folder, "objects"))
    try:
        if quarantine and os.path.dirname(os.path.realpath(quarantine)) == objects:
            link_objects(os.path.realpath(quarantine), objects)
    except OSError as error:
        raise errors.Unavailable(
            f"the pushed commit cannot be stored: {error.strerror}", "look for a full disk or a wrong owner: doctor"
        ) from None
    git.run([f"--git-dir={folder}", "update-ref", _release_ref(number), commit])


def check_commit(folder: str, commit: str) -> list[str]:
    """Refuse a commit that may not be deployed, as keep_commit does, in the repository `folder`.

    Returns the paths of submodules that are not in .gitmodules.
    """
    _check_kind(folder, commit)
    _check_history(folder, commit)
    return tree.check(folder, commit, tree.Budget(limits.limits()), env=_in_quarantine())


def drop_release(app: str, number: int) -> None:
    """Drop the commit of release vN, if there is one."""
    git.run([f"--git-dir={paths.repository(app)}", "update-ref", "-d", _release_ref(number)])


def set_head(app: str, branch: str) -> None:
    """Make `branch` the one that a clone checks out."""
    _put(os.path.join(paths.repository(app), "HEAD"), f"ref: refs/heads/{branch}\n".encode(), 0o600)


def follow(app: str, commit: str, branch: str = "") -> None:
    """Move `branch`, by default that of HEAD, to the live `commit`, so that a clone checks it out.

    A push in progress moves its branch itself. If it was killed, the next command does it; a rollback needs it too, or
    the next push would find everything up to date. Failures are reported only, as the release is live anyway.
    """
    folder = paths.repository(app)
    try:
        head = _head(folder)
        if not commit or not head:
            return
        if branch and branch != head:
            set_head(app, branch)
        ref = f"refs/heads/{branch or head}"
        if _tip(folder, ref) != commit and not repository_in_use.receiving(folder):
            git.run([f"--git-dir={folder}", "update-ref", ref, commit])
    except (errors.MinipaasError, OSError) as error:
        output.warn(f"the repository of {app} is behind: {error}")


def head_of(app: str) -> str:
    """The commit that a clone checks out; empty if there is none."""
    folder = paths.repository(app)
    head = _head(folder)
    return _tip(folder, f"refs/heads/{head}") if head else ""


def head_branch(app: str) -> str:
    """The branch that a clone checks out; empty if there is no repository."""
    return _head(paths.repository(app))


def head_branch_of(folder: str) -> str:
    """The branch that a clone of the repository `folder` checks out; empty if there is none."""
    return _head(folder)


def commit_behind(folder: str, name: str) -> str:
    """The commit that an object, perhaps a tag, leads to, in the repository `folder` or a push to it; else empty."""
    try:
        return (
            git.run([f"--git-dir={folder}", "rev-parse", "--verify", "--quiet", name + "^{commit}"], _in_quarantine())
            .decode()
            .strip()
        )
    except git.GitFailed:
        return ""


def tip_of(app: str, ref: str) -> str:
    """The commit that a ref names now; empty if there is none."""
    return _tip(paths.repository(app), ref)


def is_behind(app: str, old: str, new: str) -> bool:
    """Whether `new`, which may be part of a push, has `old` in its history."""
    try:
        git.run([f"--git-dir={paths.repository(app)}", "merge-base", "--is-ancestor", old, new], _in_quarantine())
    except git.GitFailed:
        return False
    return True


def expect(app: str, ref: str, old: str) -> None:
    """Set the ref to where the push in progress expects it, since git moves it only from there.

    If this process is killed in between, follow repairs it.
    """
    tip, before = tip_of(app, ref), old if old.strip("0") else ""
    if tip != before:
        git.run([f"--git-dir={paths.repository(app)}", "update-ref", *([ref, before] if before else ["-d", ref])])


def set_refs(app: str, refs: dict[str, str]) -> None:
    """Set refs to existing objects."""
    if refs:
        lines = "".join(f"update {ref} {name}\n" for ref, name in refs.items())
        git.run(
            [f"--git-dir={paths.repository(app)}", "update-ref", "--stdin"],
            stdin=lines.encode("utf-8", "surrogateescape"),
        )


def tidy(app: str) -> None:
    """Remove what killed git processes have left in the app's repository; the caller holds the app's lock."""
    folder = paths.repository(app)
    if os.path.isdir(folder):
        repository_in_use.tidy(folder)


def _head(folder: str) -> str:
    """The branch that HEAD names; empty if there is no repository."""
    try:
        with open(os.path.join(folder, "HEAD"), encoding="utf-8") as file:
            return file.read().strip().removeprefix("ref: refs/heads/")
    except FileNotFoundError:
        return ""


def _tip(folder: str, ref: str) -> str:
    """The commit of a ref, which usually has a file of its own; empty if there is none."""
    try:
        with open(os.path.join(folder, ref), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        with contextlib.suppress(git.GitFailed):
            return git.run([f"--git-dir={folder}", "rev-parse", "--verify", "--quiet", ref]).decode().strip()
    return ""


def head_commit(app: str, branches: list[str]) -> str | None:
    """The commit of the first of `branches` that exists; None if none does."""
    folder = paths.repository(app)
    if not os.path.isdir(folder):
        return None
    for branch in branches:
        with contextlib.suppress(git.GitFailed):
            name = f"refs/heads/{branch}^{{commit}}"
            return git.run([f"--git-dir={folder}", "rev-parse", "--verify", "--quiet", name]).decode().strip()
    return None


def branches(app: str) -> list[str]:
    """The names of all branches."""
    try:
        text = git.run([f"--git-dir={paths.repository(app)}", "for-each-ref", "--format=%(refname)", "refs/heads/"])
    except git.GitFailed:  # nothing has been pushed yet
        return []
    return [line.removeprefix("refs/heads/") for line in text.decode("utf-8", "replace").splitlines()]


def subject(app: str, commit: str) -> str:
    """The first line of the commit's message, printable; empty if the commit has gone."""
    return _log_field(app, commit, "%s")


def author(app: str, commit: str) -> str:
    """The name of the commit's author, printable, at most 200 characters; empty if the commit has gone."""
    return _log_field(app, commit, "%an")[:200]


def has_commit(app: str, commit: str) -> bool:
    """Whether the commit exists, so that it can be built again."""
    return bool(commit) and git.succeeds([f"--git-dir={paths.repository(app)}", "cat-file", "-e", f"{commit}^{{tree}}"])


def kept_commits(app: str) -> dict[int, str]:
    """The kept commits by the number of their release, oldest first."""
    listing = ["for-each-ref", "--format=%(refname) %(objectname)", "refs/minipaas/"]
    try:
        text = git.run([f"--git-dir={paths.repository(app)}", *listing])
    except git.GitFailed:
        return {}
    pairs = [line.removeprefix("refs/minipaas/v").split(" ") for line in text.decode("ascii", "replace").splitlines()]
    commits = {int(number): commit for number, commit in pairs if number.isascii() and number.isdigit()}
    return dict(sorted(commits.items()))


def _log_field(app: str, commit: str, format: str) -> str:
    try:
        text = git.run([f"--git-dir={paths.repository(app)}", "log", "-1", f"--format={format}", commit, "--"])
    except git.GitFailed:
        return ""
    return git.printable(text.decode("utf-8", "replace").strip())


def commits_between(app: str, old: str, new: str, limit: int = 50) -> list[tuple[str, str]]:
    """(commit, subject) of commits in `new` but not in `old`, newest first, at most `limit`; empty if one is gone."""
    selection = [new, f"^{old}"] if old else [new]
    try:
        text = git.run(
            [
                f"--git-dir={paths.repository(app)}",
                "log",
                "-z",
                f"--max-count={limit}",
                "--format=%H %s",
                *selection,
                "--",
            ]
        )
    except git.GitFailed:
        return []
    lines = [line.partition(" ") for line in text.decode("utf-8", "replace").split("\0") if line]
    return [(commit, git.printable(words)) for commit, _, words in lines]


def _create_new(folder: str) -> None:
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    fresh = f"{folder}.new-{os.getpid()}"
    folders.remove(fresh)
    try:
        git.run(["init", "--quiet", "--bare", "--template=", "--initial-branch=main", fresh])
        _put(os.path.join(fresh, "config"), config(), 0o600)
        durable_file.sync_folder(fresh)
        os.rename(fresh, folder)
        durable_file.sync_folder(os.path.dirname(folder))
    except OSError:
        folders.remove(fresh)
        if not os.path.isdir(os.path.join(folder, "objects")):  # else another process was faster, and that is fine
            raise


def _put(path: str, content: bytes, mode: int) -> None:
    """Write the file durably unless it has that content and mode already."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if file.read() == content and os.fstat(file.fileno()).st_mode & 0o777 == mode:
            return
    durable_file.write(path, content, mode)


def _check_kind(folder: str, commit: str) -> None:
    """Refuse a branch that is not a commit, as git itself does, but only after this hook."""
    object_type = git.run([f"--git-dir={folder}", "cat-file", "-t", commit], _in_quarantine()).decode().strip()
    if object_type != "commit":
        raise errors.MinipaasError(
            f"{commit[:10]} is a {object_type}, not a commit", "git push <remote> <name>^{commit}:main"
        )


def _in_quarantine() -> dict[str, str]:
    """The environment of a git process that has to see the objects of a push."""
    return git.environment(**{name: os.environ[name] for name in _QUARANTINE if name in os.environ})


def _check_history(folder: str, commit: str) -> None:
    """Refuse a commit whose history has a hole, as git itself does, but only after this hook.

    git-receive-pack writes a file shallow_XXXXXX for a push from a shallow clone; without one there is nothing to
    check.
    """
    if not any(name.startswith("shallow_") for name in os.listdir(folder)):
        return
    try:
        git.run([f"--git-dir={folder}", "rev-list", "--quiet", commit, "--not", "--all"], _in_quarantine())
    except git.GitFailed:
        raise errors.MinipaasError(
            "this clone is shallow, and the history that it lacks is not on this host either",
            "git fetch --unshallow, then push again; in CI, clone with the whole history",
        ) from None


def _release_ref(number: int) -> str:
    return f"refs/minipaas/v{int(number)}"

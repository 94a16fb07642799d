"""Unpack a commit, and the submodules it pins, into a build context."""

import os

from minipaas_lib import errors, paths
from minipaas_lib.git import git, unpack


def checkout(app: str, commit: str, target: str) -> None:
    """Unpack the commit into the folder `target`, which must not exist yet, submodules included.

    Every file gets the current time: BuildKit takes a file of equal size and time for unchanged, and git archive uses
    the commit's time. Nothing is written outside `target`: git refuses trees that name `.git` or `..` and never writes
    through symbolic links; links were checked when the commit was kept. Raises errors.InvalidFile for a submodule that
    cannot be fetched, errors.MinipaasError for a commit that is missing or cannot be unpacked, errors.Unavailable for
    the disk.
    """
    repository = paths.repository(app)
    try:
        os.mkdir(target)
        os.chmod(target, 0o755)
    except OSError as error:
        raise errors.Unavailable(
            f"the build folder cannot be made: {error.strerror}", "look for a full disk or a wrong owner: doctor"
        ) from None
    try:
        attributes = unpack.unpack(repository, commit, target, unpack.index_of(target))
    except git.GitFailed as error:
        if is_full(target):  # git does not say why a file cannot be written
            make_room = f"make room on its disk, then push again: df -h {paths.work()}"
            message = f"commit {commit[:10]} cannot be unpacked: no space left on device"
            raise errors.Unavailable(message, make_room) from None
        raise errors.MinipaasError(
            f"commit {commit[:10]} cannot be unpacked: {error.message}",
            "check the repository on your machine: git fsck",
        ) from None
    if os.path.lexists(os.path.join(target, ".gitmodules")):
        from minipaas_lib.git import remotes, submodules, tree
        from minipaas_lib.records import limits

        budget = tree.Budget(limits.limits())
        tree.check(repository, commit, budget)
        cache = os.path.join(repository, "modules")
        submodules.unpack_all(repository, commit, target, cache, budget, remotes.environment(app))
        attributes = True  # submodules may have some
    if attributes:
        from minipaas_lib.git import lfs

        lfs.take(app, repository, target)


def is_full(folder: str) -> bool:
    """Whether the disk of the folder has no space or no inodes left."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < 1 << 16 or bool(disk.f_files and not disk.f_favail)

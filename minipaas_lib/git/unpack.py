"""Write the files of a commit into a folder."""

import contextlib
import os

from minipaas_lib.git import git


def index_of(target: str) -> str:
    """The path of git's index while it writes files: next to the build context, for all its submodules."""
    return target.rstrip("/") + ".index"


def unpack(repository: str, commit: str, target: str, index: str) -> bool:
    """Write a commit's files into the existing folder `target`; return whether a .gitattributes may be among them.

    Raises git.GitFailed.
    """
    env = git.environment(GIT_DIR=repository, GIT_WORK_TREE=target, GIT_INDEX_FILE=index)
    try:
        git.run(["read-tree", commit], env)
        # umask: the files must be readable for any user that the image runs as
        git.run(["-C", target, "-c", "core.symlinks=true", "checkout-index", "--all", "--force"], env, umask=0o022)
        with open(index, "rb") as file:  # it contains paths literally (gitformat-index(5), version 2)
            return b".gitattributes" in file.read()
    finally:
        for leftover in (index, index + ".lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)

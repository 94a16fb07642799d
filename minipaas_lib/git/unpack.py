"""Write the files of one commit into a folder."""

import contextlib
import os

from minipaas_lib.git import git


def index_of(target: str) -> str:
    """Where git may keep the list of files while it writes them: beside the build context, for all its submodules."""
    return target.rstrip("/") + ".index"


def unpack(repository: str, commit: str, target: str, index: str) -> bool:
    """Write the files of a commit into the existing folder `target`; whether a .gitattributes may be among them.

    Raises git.GitFailed.
    """
    env = git.environment(GIT_DIR=repository, GIT_WORK_TREE=target, GIT_INDEX_FILE=index)
    try:
        git.run(["read-tree", commit], env)
        # umask: the files must be readable for whatever user the image runs as
        git.run(["-C", target, "-c", "core.symlinks=true", "checkout-index", "--all", "--force"], env, umask=0o022)
        with open(index, "rb") as file:  # paths stand in it as they are (gitformat-index(5), version 2)
            return b".gitattributes" in file.read()
    finally:
        for leftover in (index, index + ".lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)

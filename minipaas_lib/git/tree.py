"""Check the tree of a commit before anything of it is written: its size, depth and links."""

import os
import signal
import subprocess
from collections.abc import Iterator

from minipaas_lib import errors, names
from minipaas_lib.git import git
from minipaas_lib.model.entries import Limits, link_fault, size_fault

LINK, FOLDER, GITLINK = "120000", "040000", "160000"  # modes
_LINE_LIMIT = 64 * 1024  # bytes of one entry of a listing
_TIMEOUT = 120.0  # seconds


class Budget:
    """What is left of the limits for a commit and the submodules it pins."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.entries, self.size = limits, 0, 0

    def spend(self, size: int) -> None:
        """Count one entry. Raises errors.InvalidFile."""
        self.entries += 1
        self.size += size
        if self.entries > self.limits.entries:
            raise errors.InvalidFile(
                f"the commit contains more than {self.limits.entries:,} files and folders",
                "keep generated files out of it (.gitignore), or: git:set --global max-entries <number>",
            )
        if self.size > self.limits.size:
            raise errors.InvalidFile(
                f"the files of the commit are larger than {self.limits.size:,} bytes",
                "keep large files elsewhere, or: git:set --global max-size <size>",
            )


def check(
    repository: str, commit: str, budget: Budget, inside: str = "", env: dict[str, str] | None = None
) -> list[str]:
    """Refuse a commit that is too large, or has a path that is too long or too deep, or a link that cannot be unpacked.

    repository: str, its folder; inside: str, the tree's place in the build context, for a submodule; env: the
    environment of a git process that sees the commit. Returns the paths of submodules that are not in .gitmodules.
    Raises errors.InvalidFile that names the entry, errors.MinipaasError for a missing commit.
    """
    links, folders = set(), set()
    gitlinks, modules = [], False
    for mode, size, path in listing(repository, commit, env):
        budget.spend(size)
        full_path = os.path.join(inside, path)
        fault = size_fault(full_path)
        if mode == LINK:
            links.add(path)
            fault = fault or link_fault(path, size)
        elif mode == FOLDER:
            folders.add(path)
        elif mode == GITLINK:
            gitlinks.append(path)
        modules = modules or path == ".gitmodules"
        if path in links and path in folders:
            fault = "appears twice, as a link and as a folder"
        if fault:
            raise _refused(full_path, fault)
    if links:  # git unpacks no link named or below .gitmodules, in any spelling: refuse it before the build
        try:
            git.run([f"--git-dir={repository}", "read-tree", "--dry-run", commit], env)
        except git.GitFailed as error:
            raise errors.InvalidFile(
                f"git cannot unpack this commit: {names.safe(error.message)}", "rename the file and push again"
            ) from None
    return [] if modules else gitlinks


def listing(repository: str, commit: str, env: dict[str, str] | None = None) -> Iterator[tuple[str, int, str]]:
    """Yield (mode, size in bytes, path) of each entry of a commit, folders too, in the order of git-ls-tree(1).

    It reads piece by piece: a tree of a few kilobytes can name 10^10 files.
    """
    command = ["git", f"--git-dir={repository}", "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit]
    process = subprocess.Popen(
        command,
        env=env or git.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout and process.stderr
    try:
        pending = b""
        while piece := os.read(process.stdout.fileno(), 1 << 16):
            *lines, pending = (pending + piece).split(b"\0")
            if len(pending) > _LINE_LIMIT:
                raise errors.InvalidFile("the commit contains a name that is too long", "rename the file")
            for line in lines:
                fields, _, path = line.decode("utf-8", "surrogateescape").partition("\t")
                mode, _, _, size = fields.split()
                yield mode, int(size) if size.isdigit() else 0, path
        stderr = process.stderr.read(4096)
        if process.wait(_TIMEOUT):
            raise git.GitFailed(f"git ls-tree failed: {git.error_line(stderr)}")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.stdout.close()
        process.stderr.close()
        process.wait()


def _refused(path: str, fault: str) -> errors.InvalidFile:
    return errors.InvalidFile(f"{names.safe(path)} {fault}", "take it out of the commit and push again")

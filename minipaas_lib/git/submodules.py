"""Fetch and unpack the submodules of a commit. Urls and paths come from a pushed file and are not trusted."""

import contextlib
import hashlib
import os
import re
import shlex
from typing import NamedTuple

from minipaas_lib import errors, folders, names, output
from minipaas_lib.git import destinations, git, remote_url, remotes
from minipaas_lib.git.tree import GITLINK, Budget, check
from minipaas_lib.git.unpack import index_of, unpack
from minipaas_lib.untrusted_files import is_folder

DEPTH_LIMIT = 5
COUNT_LIMIT = 100
NAMED = 3


class Submodule(NamedTuple):
    path: str
    url: str
    commit: str


def unpack_all(repository: str, commit: str, target: str, cache: str, budget: Budget, env: dict[str, str]) -> None:
    """Unpack the submodules of `commit`, recursively, in their places below `target`.

    `cache`: the folder of clones, which later pushes reuse; `budget`: what is left of the limits; `env`: the
    environment of a git process that talks to their servers. Raises errors.InvalidFile that names the submodule.
    """
    context = target
    index = index_of(target)
    waiting = [(repository, commit, target, 1)]
    count = 0
    while waiting:
        repository, commit, target, depth = waiting.pop()
        for module in submodules(repository, commit):
            count += 1
            if depth > DEPTH_LIMIT or count > COUNT_LIMIT:
                raise errors.InvalidFile(
                    f"the submodules are nested deeper than {DEPTH_LIMIT}, or more than {COUNT_LIMIT}",
                    "copy what is needed into the repository",
                )
            place = _place(target, module)
            clone = fetch(module, cache, env)
            check(clone, module.commit, budget, inside=os.path.relpath(place, context))
            try:
                unpack(clone, module.commit, place, index)
            except git.GitFailed as error:
                raise _failure(module, error.message) from None
            if os.path.lexists(os.path.join(place, ".gitmodules")):
                waiting.append((clone, module.commit, place, depth + 1))


def submodules(repository: str, commit: str) -> list[Submodule]:
    """The submodules of the commit that have a url in .gitmodules. Raises errors.InvalidFile."""
    urls = _urls(repository, commit)
    modules = []
    listing = git.run([f"--git-dir={repository}", "ls-tree", "-r", "-z", "--full-tree", commit])
    for entry in listing.decode("utf-8", "surrogateescape").split("\0"):
        fields, _, path = entry.partition("\t")
        if not fields.startswith(GITLINK):
            continue
        if path in urls:
            modules.append(Submodule(path, check_url(path, urls[path]), fields.split(" ")[2]))
        else:
            name_empty([path])
    return modules


def name_empty(paths: list[str]) -> None:
    """Warn of folders that stay empty because they are submodules without a url."""
    for path in paths[:NAMED]:
        output.warn(
            f"the folder {names.safe(path)} stays empty: it is a separate git repository, and .gitmodules has no url "
            "for it"
        )
        quoted = shlex.quote(path) if path.isprintable() else "<folder>"
        output.hint(
            f"git submodule add <url> {quoted}, or to have its files in the commit: git rm --cached {quoted}; "
            f"rm -rf {quoted}/.git; git add {quoted}"
        )
    if len(paths) > NAMED:
        output.warn(f"and {len(paths) - NAMED} folders more stay empty")


def check_url(path: str, url: str) -> str:
    """The url of the submodule at `path`, unchanged, if it may be fetched. Raises errors.InvalidFile."""
    if url.startswith(("./", "../")):
        raise errors.InvalidFile(
            f"the submodule {names.safe(path)} has the relative url {names.safe(url)}, which cannot be resolved here",
            f"git submodule set-url {_shown(path)} https://...",
        )
    if not (re.fullmatch(remote_url.URL, url) or re.fullmatch(remote_url.SCP_LIKE, url)):
        raise errors.InvalidFile(
            f"the submodule {names.safe(path)} has the url {names.safe(remote_url.without_password(url))}, and only "
            "https, http,"
            " git and ssh are fetched",
            f"git submodule set-url {_shown(path)} https://...",
        )
    return url


def fetch(module: Submodule, cache: str, env: dict[str, str]) -> str:
    """The folder of a bare clone that has the submodule's commit. Raises errors.InvalidFile."""
    clone = os.path.join(cache, hashlib.sha256(module.url.encode("utf-8", "surrogateescape")).hexdigest()[:32] + ".git")
    if not os.path.isdir(os.path.join(clone, "objects")):
        os.makedirs(cache, mode=0o700, exist_ok=True)
        fresh = f"{clone}.new-{os.getpid()}"
        folders.remove(fresh)
        git.run(["init", "--quiet", "--bare", "--template=", fresh])
        with contextlib.suppress(OSError):  # another process was faster
            os.rename(fresh, clone)
        folders.remove(fresh)
    if _has(clone, module.commit):
        return clone
    output.info(f"fetching the submodule {_shown(module.path)} from {_shown(remote_url.without_password(module.url))}")
    try:
        try:
            _fetch(clone, module.url, ["--depth=1", module.commit], env)  # most servers serve any commit by its name
        except git.GitFailed:
            _fetch(clone, module.url, ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], env)
    except destinations.Refused as error:
        raise _failure(
            module, error.message, "in .gitmodules, use an address that can be reached from elsewhere"
        ) from None
    except (git.GitFailed, errors.Unavailable) as error:
        raise _failure(module, error.message) from None
    if not _has(clone, module.commit):
        raise _failure(module, f"commit {module.commit[:10]} is not there", "push the submodule's own commits first")
    return clone


def _fetch(clone: str, url: str, arguments: list[str], env: dict[str, str]) -> None:
    # Old histories have harmless faults, and unpack() checks every path.
    git.run([f"--git-dir={clone}", "config", "fetch.fsckObjects", "false"])
    remotes.fetch(clone, url, arguments, env)


def _has(clone: str, commit: str) -> bool:
    return git.succeeds([f"--git-dir={clone}", "cat-file", "-e", commit + "^{commit}"])


def _urls(repository: str, commit: str) -> dict[str, str]:
    """Path -> url of each entry of .gitmodules (gitmodules(5))."""
    try:
        listing = git.run(
            [f"--git-dir={repository}", "config", f"--blob={commit}:.gitmodules", "--no-includes", "-z", "--list"]
        )
    except git.GitFailed:
        raise errors.InvalidFile(".gitmodules cannot be read", "git config --file .gitmodules --list") from None
    modules: dict[str, dict[str, str]] = {}
    for entry in listing.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = entry.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "submodule":
            modules.setdefault(name, {})[variable] = value
    return {module["path"]: module["url"] for module in modules.values() if "path" in module and "url" in module}


def _place(target: str, module: Submodule) -> str:
    """The empty folder that the checkout made for the submodule."""
    if not is_folder(target, module.path):
        raise _failure(module, "its folder is not there")
    return os.path.join(target, module.path)


def _failure(module: Submodule, reason: str, hint: str = "") -> errors.InvalidFile:
    url = remote_url.without_password(module.url)
    reason = re.sub("://[^/ ]*@", "://***@", reason)
    return errors.InvalidFile(
        f"the submodule {names.safe(module.path)} cannot be fetched from {names.safe(url)}: {reason}",
        hint or "make it public, or copy its files into the repository",
    )


def _shown(text: str) -> str:
    return names.safe(text)[1:-1]

"""Each head has git repositories of its own; the commits of releases come to it from the other heads.

git fetches from the other head through a process of ours that speaks TLS with it: see transport/git_server.py.
"""

import os
import re

from minipaas_lib import api
from plugins.cluster.head import head_registry

FETCH_LIMIT = 900.0  # seconds


def catch_up(name: str) -> None:
    """Fetch the commit of the live release into the app's repository here, so that a clone yields it.

    Where no other head has it, that is told of: the next push brings what it needs. Raises errors.Unavailable.
    """
    live = api.live_release(name)
    if live is None or not live.commit:
        return
    repository = api.repository
    repository.create(name)
    if not repository.has_commit(name, live.commit):
        branch, asked = "", []
        for host, address in sorted(head_registry.others(api.kernel.store()).items()):
            branch = _fetch(name, address)
            if repository.has_commit(name, live.commit):
                break
            asked.append(host)
        else:
            where = f"it cannot be fetched from {', '.join(asked)}" if asked else "there is no other head"
            api.output.warn(f"the commit of {live.name} of {name} is not on this head, and {where}")
            return
        repository.follow(name, live.commit, branch)
    elif repository.head_of(name) != live.commit:
        repository.follow(name, live.commit)


def _fetch(name: str, address: str) -> str:
    """Get the commits of all releases from the head at an IP address; the branch that a clone from it has.

    What cannot be had is left out: whoever asked looks for what it needs.
    """
    folder = api.paths.repository(name)
    url = f"ext::{api.paths.program()} cluster:reach {address} {name}"
    _git(
        folder,
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-auto-gc",
        "--no-write-fetch-head",
        url,
        "refs/minipaas/*:refs/minipaas/*",
    )
    match = re.match(r"ref: refs/heads/(\S+)\tHEAD\n", _git(folder, "ls-remote", "--symref", url, "HEAD"))
    return match[1] if match else ""


def _git(folder: str, *words: str) -> str:
    """What git printed; empty where it failed."""
    import subprocess

    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "SSH_", "MINIPAAS_KEY"))}
    ours = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": "ext",
    }
    try:
        done = subprocess.run(
            ["git", f"--git-dir={folder}", *words],
            env=kept | ours,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=FETCH_LIMIT,
            umask=0o077,
        )
    except subprocess.TimeoutExpired:
        raise api.errors.Unavailable(
            f"another head did not send its commits within {FETCH_LIMIT:.0f} seconds"
        ) from None
    return "" if done.returncode else done.stdout

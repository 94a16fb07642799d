"""Fetch from other git servers, with the credentials and host keys that were set for them.

In the folder `remotes`: `known_hosts`; `credentials`, a line `https://user:password@host` for each server
(git-credential-store(1)); `key`, the deploy key of all apps; `apps/<app>`, the one of an app. None of paas's own keys,
agents or settings is ever used, and no host key is trusted implicitly.
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from urllib.parse import quote, unquote

from minipaas_lib import downloads, errors, names, paths, programs
from minipaas_lib.git import destinations, git, remote_url
from minipaas_lib.records import limits
from minipaas_lib.toolkit import durable_file

FETCH_LIMIT = 15 * 60.0  # seconds
_PRLIMIT = "/usr/bin/prlimit"


def folder(*parts: str) -> str:
    return os.path.join(paths.root(), "remotes", *parts)


def key_path(app: str = "") -> str:
    """The private deploy key of an app or, without one, of all apps; the public one has `.pub` appended."""
    return folder("apps", app) if app else folder("key")


def environment(app: str) -> dict[str, str]:
    """The environment of a git process that talks to a server for an app."""
    key = next((path for path in (key_path(app), key_path()) if os.path.exists(path)), "none")
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "15",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": folder("known_hosts"),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "IdentityFile": key,
        "PasswordAuthentication": "no",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
    }
    ssh = "ssh -F none " + " ".join(f"-o {name}={value}" for name, value in options.items())
    # Only `get`: git itself would erase a refused password. Only https: files of earlier versions hold others too.
    helper = (
        '!f() { test "$1" = get || return 0; asked=$(cat); printf "%s\\n" "$asked" | grep -qx protocol=https '
        "|| return 0; "
        f'printf "%s\\n\\n" "$asked" | git credential-store --file={folder("credentials")} get; }}; f'
    )
    return git.environment(
        GIT_ALLOW_PROTOCOL="https:http:git:ssh",
        GIT_SSH_COMMAND=ssh,
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="credential.helper",
        GIT_CONFIG_VALUE_0=helper,
        # A dead server must not block the app until the time limit.
        GIT_HTTP_LOW_SPEED_LIMIT="100",
        GIT_HTTP_LOW_SPEED_TIME="30",
    )


def fetch(repository: str, url: str, refs: list[str], env: dict[str, str], trusted: bool = False) -> None:
    """`git fetch` from a server that may send too much, too slowly. `trusted`: it may be on this host itself.

    Raises git.GitFailed, destinations.Refused, errors.Unavailable. On any exception all of git's processes, including
    its helpers for http and ssh, are killed first.
    """
    destinations.for_git(url, lambda place, options: _fetch(repository, place, refs, env, options), trusted, env)


def _fetch(repository: str, url: str, refs: list[str], env: dict[str, str], settings: list[str]) -> None:
    options = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-gc", "--force"]
    limited = [_PRLIMIT, f"--fsize={limits.limits().size}", "--"] if os.access(_PRLIMIT, os.X_OK) else []
    command = [*limited, "git", *settings, f"--git-dir={repository}", "fetch", *options, url, *refs]
    os.makedirs(paths.work(), mode=0o700, exist_ok=True)
    with tempfile.TemporaryFile(dir=paths.work()) as log:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            status = process.wait(FETCH_LIMIT)
        except subprocess.TimeoutExpired:
            raise errors.Unavailable(
                f"git did not fetch it within {FETCH_LIMIT / 60:.0f} minutes", "try again"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.seek(max(log.seek(0, 2) - 4096, 0))
        words = log.read()
    if status:
        raise git.GitFailed(f"git fetch failed: {explained(git.error_line(words), words, url)}")


def explained(message: str, words: bytes, url: str = "") -> str:
    """git's message about a failed fetch, with the reason if git does not give it."""
    text = words.decode("utf-8", "replace")
    if "Host key verification failed" in text:
        return "its host key is not trusted yet: git:allow-host"
    if reason := downloads.by_host(text):  # takes precedence over git's conclusion that it needs a password
        line = next(line.strip() for line in text.split("\n") if downloads.fault(line))
        return re.sub("://[^/ ]*@", "://***@", f"{git.printable(line.removeprefix('fatal: '))[:300]} ({reason})")
    if "terminal prompts disabled" in text and url.startswith("http:"):
        return f"{message} (passwords of git:auth are sent over https only: use its https URL)"
    if "terminal prompts disabled" in text or "Authentication failed" in text or "Permission denied" in text:
        return f"{message} (for https: git:auth; for ssh: git:generate-deploy-key)"
    if "File too large" in text or "died of signal 25" in text:  # SIGXFSZ
        return "it is larger than git:set --global max-size allows"
    return re.sub("://[^/ ]*@", "://***@", message)


def credentials() -> dict[str, tuple[str, str]]:
    """Server (host or host:port) -> user and password."""
    try:
        with open(folder("credentials"), encoding="utf-8") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return {}
    matches = [re.fullmatch("https://([^:/@]*):([^:/@]*)@([^/@]+)", line) for line in lines]
    return {match[3]: (unquote(match[1]), unquote(match[2])) for match in matches if match}


def set_credentials(host: str, user: str, password: str) -> None:
    """Store credentials or, without a user, remove them; they are never sent over plain http."""
    known = credentials()
    known.pop(host, None)
    if user:
        known[host] = (user, password)
    lines = [
        f"https://{quote(name, safe='')}:{quote(secret, safe='')}@{server}\n"
        for server, (name, secret) in sorted(known.items())
    ]
    write(folder("credentials"), "".join(lines))


def write(path: str, text: str) -> None:
    """Write a file durably and atomically, readable by its owner only."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    durable_file.write(path, text)


def trusted_hosts() -> str:
    """The content of the known_hosts file; empty if there is none."""
    try:
        with open(folder("known_hosts"), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def generate_key(app: str = "") -> str:
    """Create a deploy key if there is none; return the public one. Raises errors.Unavailable."""
    path = key_path(app)
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fresh = f"{path}.new-{os.getpid()}"
        comment = f"minipaas {app or 'all apps'}".replace(" ", "-")
        programs.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", fresh)
        os.rename(f"{fresh}.pub", f"{path}.pub")
        os.rename(fresh, path)
    return public_key(app)


def public_key(app: str = "") -> str:
    """The public deploy key. Raises errors.NotFound."""
    try:
        with open(f"{key_path(app)}.pub", encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        raise errors.NotFound(
            f"there is no deploy key for {app or 'all apps'}", f"git:generate-deploy-key {app}".rstrip()
        ) from None


def rename(former: str, app: str) -> None:
    """Move an app's deploy key to its new name."""
    forget(app)
    for end in (".pub", ""):
        with contextlib.suppress(FileNotFoundError):
            os.rename(key_path(former) + end, key_path(app) + end)


def forget(app: str) -> None:
    """Remove an app's deploy key, if there is one."""
    for end in ("", ".pub"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(key_path(app) + end)


def check_url(url: str) -> str:
    """The url of a repository to sync from, unchanged. Raises errors.UsageError."""
    if not remote_url.host_of(url)[0]:
        raise errors.UsageError(
            f"{names.safe(remote_url.without_password(url))} cannot be fetched: only https, http, git and ssh can",
            "give a URL such as: https://github.com/anna/blog.git",
        )
    if re.match("https?://[^/]*@", url):
        raise errors.UsageError(
            f"{names.safe(remote_url.without_password(url))} contains a password, which process lists would show",
            f"git:auth {remote_url.host_of(url)[0]} <user> --password-stdin, then: use the URL without it",
        )
    return url

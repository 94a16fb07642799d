"""The forced command of every SSH key: check the key and its rights, then run git-shell or a minipaas command.

It is on the path of every push and every command, so git is let through before anything large is imported.
"""

import os
import sys

from minipaas_lib import admission, paths

GIT_VERBS = ("git-receive-pack", "git-upload-pack")
LFS_VERBS = ("git-lfs-transfer", "git-lfs-authenticate")
TRANSFERS = ("internal-sftp", "sftp-server", "scp", "rsync", "git-upload-archive")


def enter(key: str, fingerprint: str = "") -> int:
    """Run what the client with the SSH key called `key` asked for; does not return for git.

    fingerprint: str, that of the key that sshd accepted; empty in lines that an earlier version wrote.
    """
    os.environ["MINIPAAS_KEY"] = key
    os.environ["MINIPAAS_FINGERPRINT"] = fingerprint
    if not admission.is_admitted(key, fingerprint):
        from minipaas_lib import cli

        error = admission.denied(key)
        return cli.fail(error.message, error.hint, error.exit_code)
    command_line = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    verb, _, rest = command_line.strip().partition(" ")
    if verb in GIT_VERBS:
        return git(key, verb, rest)
    return command(key, command_line)


def git(key: str, verb: str, argument: str) -> int:
    """Check the app's name and the key's right, then become git-shell."""
    name = app_of(argument)
    repository = paths.repository(name)
    ready = os.path.isfile(os.path.join(repository, "hooks", "pre-receive")) and not is_shared()
    if not (plain(name) and ready and authorized(key, verb, name)):
        from minipaas_lib import cli

        prepared: list[str] = []

        def prepare_it() -> int:
            prepared.append(prepare(key, verb, name))
            return 0

        if status := cli.guard(prepare_it):
            return status
        repository = prepared[0]
    os.environ["MINIPAAS_APP"] = name
    program = os.environ.get("MINIPAAS_GIT_SHELL", "git-shell")
    os.execvp(program, [program, "-c", f"{verb} '{repository}'"])


def app_of(argument: str) -> str:
    """The app in the path of a remote; its name is not validated yet."""
    return argument.strip().strip("'\"").removeprefix("/").removeprefix("~/").removesuffix("/").removesuffix(".git")


def plain(name: str) -> bool:
    """Whether the name has no slash, quote, dot or capital: a fast, weaker check than names.app_name."""
    return name.isascii() and name.replace("-", "a").isalnum() and name == name.lower()


def is_shared() -> bool:
    """Whether the host is in a cluster, where another host may have changed the repository.

    A fast check; cluster_settings reads the file.
    """
    return os.path.exists(os.path.join(paths.root(), "cluster.toml"))


def prepare(key: str, verb: str, name: str) -> str:
    """The slow path: refuse a name, prepare a first push, or ask plugins. Returns git's repository."""
    from minipaas_lib import names
    from minipaas_lib.bus import manager
    from minipaas_lib.git import repository
    from minipaas_lib.records import apps

    name = names.app_name(name)
    manager.call("authorize", key=key, command=verb, app=name)
    if verb == "git-receive-pack" and not apps.exists(name):
        from minipaas_lib.push import first_push

        return first_push.prepare(name)
    app = apps.load(name)
    folder = repository.create(name)
    if is_shared():
        manager.call("before_git", app=app)
    return folder


def authorized(key: str, verb: str, name: str) -> bool:
    """Whether no plugin has to authorize it."""
    from minipaas_lib.bus import index

    return "authorize" not in index.load().hooks


def command(key: str, command_line: str) -> int:
    """Run a minipaas command."""
    import shlex

    from minipaas_lib import cli, dispatch

    try:
        words = shlex.split(command_line)
    except ValueError:
        return cli.fail(
            "the quotes in this command do not match",
            "quote twice, for your shell and for the command line here: 'NAME=\"a b\"'",
        )
    if not words:
        return cli.fail("there is no shell here, only commands", "ssh paas@<host> help")
    if words[0] in LFS_VERBS:
        return cli.guard(lambda: lfs(key, words))
    if os.path.basename(words[0]) in TRANSFERS:
        return cli.fail("there is no file transfer here, only git and commands", "git push paas@<host>:<app> main")
    sys.argv[1:] = words
    return dispatch.run(words)


def lfs(key: str, words: list[str]) -> int:
    """Serve git-lfs to keys that may push or fetch: `git-lfs-transfer <path> upload|download`, without HTTP."""
    from minipaas_lib import admission, errors, names
    from minipaas_lib.bus import manager
    from minipaas_lib.git import first_repository, lfs_server, repository
    from minipaas_lib.records import apps, limits

    verb, path, operation, *_ = [*words, "", ""]
    name = names.app_name(app_of(path))
    if operation not in (lfs_server.UPLOAD, lfs_server.DOWNLOAD):
        raise errors.UsageError(
            f"{names.safe(operation)} is not a Git LFS operation of this host", "git lfs push --all <remote>"
        )
    right = "git-upload-pack" if operation == lfs_server.DOWNLOAD else "git-receive-pack"
    manager.call("authorize", key=key, command=right, app=name)
    # git-lfs uploads while git waits: before the first push is accepted there is no app.
    folder = first_repository.latest(name) if right == "git-receive-pack" and not apps.exists(name) else ""
    if not folder:
        apps.load(name)
    if verb == "git-lfs-authenticate":
        raise errors.UsageError(
            "Git LFS is served over ssh only, not over HTTP, and that needs git-lfs 3.0 or later",
            "upgrade git-lfs, or push without it: GIT_LFS_SKIP_PUSH=1 git push",
        )
    admission.end_with_key()
    try:
        lfs_server.Session(
            folder or repository.create(name), operation, limits.limits().size, sys.stdin.buffer, sys.stdout.buffer
        ).run()
    except (lfs_server.Broken, BrokenPipeError) as error:
        raise errors.MinipaasError(f"the connection of git-lfs broke off: {error}", "push again") from None
    return 0

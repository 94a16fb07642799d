"""The entry of the program: over ssh (`--key NAME`), on the local command line, and in git hooks."""

import gc
import os
import sys

from minipaas_lib import paths


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    os.umask(0o077)
    gc.set_threshold(50_000)  # what imports create stays: collecting garbage takes a tenth of their time
    if argv[:1] == ["--key"] and len(argv) in (2, 3):  # a name and a fingerprint
        from minipaas_lib import ssh_entry

        return ssh_entry.enter(*argv[1:])
    if argv[:1] == ["install"]:
        from minipaas_lib import cli, self_install

        return cli.guard(lambda: self_install.run(argv[1:]))
    if not stays_root(argv):
        become_paas()
    from minipaas_lib import dispatch

    return dispatch.run(argv)


def program() -> None:
    """Run the command line and end the process at once.

    Tearing down the interpreter with docker's SDK and Jinja loaded takes 40 ms, which a push would wait for. All state
    is on disk, and other threads are daemons, so nothing needs a teardown.
    """
    status = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # its reader has gone, or it has been closed
            status = status or 1
    os._exit(status)


def stays_root(argv: list[str]) -> bool:
    """Whether root stays root: for the commands that install plugins, which are root's files."""
    if os.geteuid() != 0 or not argv:
        return False
    from minipaas_lib import words
    from minipaas_lib.bus import index

    return index.stays_root(words.command_first(argv)[0])


def here() -> str:
    """The current folder, or `/` if it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return "/"


def become_paas() -> None:
    """As root, switch to the user paas, so that it owns all files; the way back stays for paths.open_as_caller.

    The saved user id stays root's in this process only: a program that it starts gets paas's for good.
    """
    if os.geteuid() != 0 or "MINIPAAS_ROOT" in os.environ:
        return
    import pwd

    try:
        user = pwd.getpwnam(paths.PAAS_USER)
    except KeyError:
        return
    paths.caller_directory = here()
    os.initgroups(user.pw_name, user.pw_gid)
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, 0)
    os.chdir("/")
    os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    os.environ.pop("XDG_CONFIG_HOME", None)

"""Whether the SSH key of this connection may still use the host.

sshd checks the key only when a connection opens. A client that keeps it open (ControlMaster of ssh_config(5)) could
continue after the key was removed, so each command checks it again, and long-running ones do so regularly.
"""

import os

from minipaas_lib import paths

_INTERVAL = 5.0  # seconds between two checks of a long-running command
_AGAIN = 30.0  # seconds until a command that cleans up, or that lost the error in a finalizer, gets it again


def is_admitted(key: str, fingerprint: str = "") -> bool:
    """Whether sshd would accept the key `key` now, with that fingerprint if known (SHA256:...).

    Lines written by an earlier version have none. The file is generated from the store; a key is removed from the file
    before it is removed from the store.
    """
    try:
        with open(paths.authorized_keys(), "rb") as file:
            text = file.read()
    except OSError:
        return False
    command = f'command="minipaas --key {key}'.encode()
    if fingerprint:
        return command + f' {fingerprint}"'.encode() in text
    return command + b'"' in text or command + b" " in text


def denied(key: str):
    """The errors.Denied for a key that was removed."""
    from minipaas_lib import errors

    return errors.Denied(
        f"the key {key} is no longer allowed on this host", "ask an admin of this host to add it again"
    )


def end_with_key() -> None:
    """Raise errors.Denied in this command, which may run for hours, once its key is removed.

    It checks every few seconds, by SIGALRM. Under gevent the error is raised in the greenlet that calls this.
    """
    import signal
    import sys

    from minipaas_lib import caller, errors, output

    key, fingerprint = caller.key(), os.environ.get("MINIPAAS_FINGERPRINT")
    if key == "root" or fingerprint is None:  # not called over ssh
        return

    def check(*signal_and_frame) -> None:
        if is_admitted(key, fingerprint):
            return
        signal.setitimer(signal.ITIMER_REAL, _AGAIN, _AGAIN)
        output.outlive_reader()
        raise denied(key)

    if "gevent.monkey" in sys.modules and sys.modules["gevent.monkey"].is_module_patched("socket"):
        import gevent

        main = gevent.getcurrent()

        def check_for_main() -> None:
            try:
                check()
            except errors.Denied as error:
                main.throw(error)

        gevent.signal_handler(signal.SIGALRM, check_for_main)
    else:
        signal.signal(signal.SIGALRM, check)
    signal.setitimer(signal.ITIMER_REAL, _INTERVAL, _INTERVAL)
    check()  # it may have been removed since the ssh entry checked

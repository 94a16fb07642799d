"""Whether the SSH key of this connection may still use the host.

sshd looks at a connection's key once, when it opens. A client that keeps it open (ControlMaster of ssh_config(5)) goes
on after the key was removed, so each of its commands looks again, and those that go on for long look now and then.
"""

import os

from minipaas_lib import paths

_INTERVAL = 5.0  # seconds between two looks of a command that goes on
_AGAIN = 30.0  # seconds until one that cleans up, or that lost the error in a finalizer, gets it again


def is_admitted(key: str, fingerprint: str = "") -> bool:
    """Whether sshd would let the key `key` in now, under that fingerprint where one is known (SHA256:...).

    A line that an earlier version wrote has none. The file is made from the store, and a key that is removed leaves it
    before it leaves the store.
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
    """End this command, which may go on for hours, once its key is removed: it raises errors.Denied then.

    Looks every few seconds, by SIGALRM. Under gevent the error is raised in the greenlet that calls this.
    """
    import signal
    import sys

    from minipaas_lib import caller, errors, output

    key, fingerprint = caller.key(), os.environ.get("MINIPAAS_FINGERPRINT")
    if key == "root" or fingerprint is None:  # nobody came through the gate
        return

    def look(*signal_and_frame) -> None:
        if is_admitted(key, fingerprint):
            return
        signal.setitimer(signal.ITIMER_REAL, _AGAIN, _AGAIN)
        output.outlive_reader()
        raise denied(key)

    if "gevent.monkey" in sys.modules and sys.modules["gevent.monkey"].is_module_patched("socket"):
        import gevent

        main = gevent.getcurrent()

        def look_for_main() -> None:
            try:
                look()
            except errors.Denied as error:
                main.throw(error)

        gevent.signal_handler(signal.SIGALRM, look_for_main)
    else:
        signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _INTERVAL, _INTERVAL)
    look()  # it may have been removed since the gate looked

"""The certificates that this node or head shows, as the store has them now.

They are looked at again when somebody comes in, so that a renewal needs no restart, and an idle agent asks nothing.
"""

import os
import time
from collections.abc import Callable

import gevent

from minipaas_lib import api
from plugins.cluster.transport import protocol, tls

KEYS = protocol.keys_path("agent")  # who is asked shows this one
LOOK = 1.0  # seconds between two looks


class Identity:
    """`read` gives the PEM texts ca, cert and key, `files` the files that hold them. Raises what they raise."""

    def __init__(self, read: Callable[[], dict], files: Callable[[dict], dict], now=time.monotonic) -> None:
        self._read, self._files, self._now = read, files, now
        self._texts = dict(read())
        self._context = self._made(self._texts)
        self._looked, self._looking = now(), False

    def context(self):
        """How to shake hands with who comes in now.

        What has changed counts from the next one on: nobody waits for the store.
        """
        if not self._looking and self._now() - self._looked >= LOOK:
            self._looking = True
            gevent.spawn(self.look)
        return self._context

    def look(self) -> None:
        """Take up what the store has. What cannot be read, or is no certificate, changes nothing."""
        try:
            texts = dict(self._read())
            if texts != self._texts:
                self._context, self._texts = self._made(texts), texts
        except (api.errors.MinipaasError, OSError, ValueError, KeyError) as error:  # ssl.SSLError is an OSError
            api.output.warn(f"the certificates of the cluster cannot be loaded: {error}")
        finally:
            self._looked, self._looking = self._now(), False

    def _made(self, texts: dict):
        files = self._files(texts)
        return tls.server_context(files["ca"], files["cert"], files["key"])


def files_of(keys: dict[str, str]) -> dict[str, str]:
    """The certificates as files that only we can read: ssl takes them in no other way."""
    folder = api.paths.cache("agent")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    files = {}
    for part in ("ca", "cert", "key"):
        files[part] = os.path.join(folder, part + ".pem")
        with open(os.open(files[part], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(keys[part])
    return files

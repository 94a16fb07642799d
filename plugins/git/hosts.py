"""The ssh servers whose host keys git trusts."""

import contextlib
import re

from minipaas_lib import api

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"


def parse(text: str) -> tuple[str, int]:
    """`host` or `host:port`. Raises errors.UsageError."""
    found = re.fullmatch(rf"({_HOST})(?::([0-9]{{1,5}}))?", text)
    if not found or not 0 < int(found[2] or 22) < 65536:
        raise api.errors.UsageError(f"{api.names.safe(text)} is not the name of a host", "give one such as: github.com")
    return found[1].lower(), int(found[2] or 22)


def allow(text: str) -> list[str]:
    """Ask a host for its keys and trust them from now on; their fingerprints. Raises errors.Unavailable."""
    host, port = parse(text)
    api.kernel.destinations.resolve(host, port, trusted=api.kernel.destinations.by_root())
    name = host if port == 22 else f"[{host}]:{port}"
    said = ""
    with contextlib.suppress(api.errors.Unavailable):  # no key is what is said of it
        said = api.kernel.programs.run("ssh-keyscan", "-T", "10", "-p", str(port), "--", host)
    key = re.compile(re.escape(name) + " [a-z0-9@.-]{1,64} [A-Za-z0-9+/=]{40,4000}")
    keys = [line for line in said.split("\n") if key.fullmatch(line)]
    if not keys:
        raise api.errors.Unavailable(f"{text} did not send a host key", "check the name, and whether ssh answers there")
    others = [line for line in api.kernel.remotes.trusted_hosts().split("\n") if line and line.split(" ")[0] != name]
    api.kernel.remotes.write(api.kernel.remotes.folder("known_hosts"), "\n".join([*others, *sorted(keys), ""]))
    shown = api.kernel.programs.run("ssh-keygen", "-lf", "-", input="\n".join(keys))
    return [api.output.tame(line) for line in shown.splitlines()]

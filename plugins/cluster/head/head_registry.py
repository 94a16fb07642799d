"""The heads of a cluster: each is noted in the store once it is one, and until it begins to leave."""

import contextlib

from minipaas_lib import api

FOLDER = "cluster/heads"
ROUTER = "head-"  # what the names of heads' routers begin with
PATIENCE = 60.0  # seconds for another head that joins or leaves


def path(host: str) -> str:
    return f"{FOLDER}/{host}.toml"


def lock(store):
    """Held by who counts the heads and joins or leaves by that. Raises errors.Locked."""
    return store.lock("cluster-heads", api.kernel.holder(), wait=PATIENCE)


def register(store, address: str) -> None:
    """Note this host as a head that others reach at the IP address."""
    api.kernel.documents.write(store, path(api.caller.host()), {"address": address, "machine": machine()})


def unregister(store, host: str) -> None:
    with contextlib.suppress(api.errors.NotFound):
        store.delete(path(host))


def known(store) -> dict[str, dict]:
    """What is noted of each head, by host name."""
    heads = {}
    for file in store.children(FOLDER):
        with contextlib.suppress(api.errors.NotFound):
            heads[file.removesuffix(".toml")] = api.kernel.documents.read(store, f"{FOLDER}/{file}")
    return heads


def others(store) -> dict[str, str]:
    """The IP addresses of the other heads, by host name."""
    return {host: str(record.get("address", "")) for host, record in known(store).items() if host != api.caller.host()}


def alive(store) -> set[str]:
    """The host names of heads whose router tells of itself."""
    return {name.removeprefix(ROUTER) for name in store.children("routers") if name.startswith(ROUTER)}


def machine() -> str:
    """What tells this machine from another of the same name; empty where it has no id."""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def forget(host: str) -> None:
    """Take a head that is lost for good from the store.

    Raises errors.NotFound, errors.UsageError for one that lives.
    """
    store = api.kernel.store()
    with lock(store):
        if host not in known(store):
            raise api.errors.NotFound(f"there is no head {api.names.safe(host)}", "cluster:status")
        if host == api.caller.host() or host in alive(store):
            raise api.errors.UsageError(f"the head {host} is alive", "on that host: minipaas cluster:leave")
        unregister(store, host)

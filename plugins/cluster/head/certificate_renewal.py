"""cluster:renew-certificates: a new authority in the place of the old one, whose key is gone. Nothing is restarted.

Three steps, each noted before it is taken: all trust both authorities; all show certificates of the new one; all trust
the new one alone. The next step comes when every agent and every head has proved in a handshake that it has taken up
the one before, so whoever talks to whom meanwhile understands the other. A command that was interrupted is given again.
"""

import contextlib
import time

from minipaas_lib import api
from plugins.cluster.engine import Machines
from plugins.cluster.head import certificate_authority, head_registry, migration, node_registry
from plugins.cluster.transport import protocol, tls

RENEWAL = "cluster/renewal.toml"  # step, and the certificates of before (former) and after (new), while it lasts
TRUST, SHOW, DROP = STEPS = ("trust", "show", "drop")
LOCK = "cluster-certificates"
LIMIT = 60.0  # seconds that a node may take for a step
AGAIN = 0.5  # seconds between two looks
TIMEOUT = 5.0  # seconds for a handshake
WORDS = {
    TRUST: "Making all nodes trust a new authority as well",
    SHOW: "Giving all nodes certificates of the new authority",
    DROP: "Making all nodes distrust the previous authority",
}


def renew(store, machines: Machines) -> None:
    """Do what is left of a renewal, or one from the start. Raises errors.Locked, errors.Unavailable."""
    with store.lock(LOCK, api.kernel.holder()):
        renewal = begun(store) or _begin(store)
        for step in STEPS[STEPS.index(renewal["step"]) :]:
            api.output.step(WORDS[step])
            if renewal["step"] != step:
                renewal["step"] = step
                api.kernel.documents.write(store, RENEWAL, renewal)
            with (
                contextlib.nullcontext() if step == TRUST else migration.all_locked()
            ):  # commands go on with what they read
                for part, keys in documents(renewal, step).items():
                    api.kernel.documents.write(store, protocol.keys_path(part), keys)
            _prove(renewal, step, peers(store, machines))
        store.delete(RENEWAL)


def begun(store) -> dict:
    """What was noted of a renewal that has not ended; empty for none."""
    try:
        return dict(api.kernel.documents.read(store, RENEWAL))
    except api.errors.NotFound:
        return {}


def _begin(store) -> dict:
    import tempfile

    former = {part: dict(api.kernel.documents.read(store, protocol.keys_path(part))) for part in protocol.PARTS}
    with tempfile.TemporaryDirectory(prefix="minipaas-keys-") as folder:
        renewal = {"step": TRUST, "former": former, "new": certificate_authority.make(folder)}
    api.kernel.documents.write(store, RENEWAL, renewal)
    return renewal


def documents(renewal: dict, step: str) -> dict[str, dict[str, str]]:
    """What agents and heads are to trust and to show at a step. Pure."""
    certificates = {}
    for part in protocol.PARTS:
        former, new = renewal["former"][part], renewal["new"][part]
        own = former if step == TRUST else new
        ca = new["ca"] if step == DROP else former["ca"].rstrip("\n") + "\n" + new["ca"]
        certificates[part] = {"ca": ca, "cert": own["cert"], "key": own["key"]}
    return certificates


def peers(store, machines: Machines) -> list[tuple[str, str, int]]:
    """Who lets others in: (name, IP address, port). One that is away reads what it needs when it is back."""
    addresses = [(node_registry.named(machine), machine.address, protocol.AGENT_PORT) for machine in machines.members()]
    alive = head_registry.alive(store)
    for host, record in sorted(head_registry.known(store).items()):
        if host in alive and record.get("address"):
            addresses.append((host, str(record["address"]), protocol.HEAD_PORT))
    return addresses


def proofs(renewal: dict, step: str) -> list[tuple[dict[str, str], bool]]:
    """With which (ca, cert, key) a head is to get in, and with which it is not, once a step is taken up. Pure."""
    former, new = renewal["former"]["head"], renewal["new"]["head"]
    if step == TRUST:
        return [(new | {"ca": former["ca"].rstrip("\n") + "\n" + new["ca"]}, True)]
    fresh = [(new, True)]
    return fresh if step == SHOW else [*fresh, (former | {"ca": new["ca"]}, False)]


def _prove(renewal: dict, step: str, who: list[tuple[str, str, int]]) -> None:
    """Wait until all have taken up a step. Raises errors.Unavailable with one that has not."""
    wanted = [(tls.client_context(keys), good) for keys, good in proofs(renewal, step)]
    end = time.monotonic() + LIMIT
    for name, address, port in who:
        while not all(comes_in(address, port, context) is good for context, good in wanted):
            if time.monotonic() > end:
                raise _late(name, comes_in(address, port, wanted[0][0]) is None)
            time.sleep(AGAIN)
        api.output.info(name)


def _late(name: str, is_silent: bool) -> Exception:
    """The error for a node that does not come along."""
    if is_silent:
        return api.errors.Unavailable(
            f"{name} does not answer, so renewing the certificates stopped",
            "cluster:status, then again: cluster:renew-certificates",
        )
    return api.errors.Unavailable(
        f"{name} did not switch to the new certificates within {LIMIT:.0f} seconds; the previous ones stay valid",
        "if it runs an older minipaas: cluster:init, then again: cluster:renew-certificates",
    )


def comes_in(address: str, port: int, context) -> bool | None:
    """Whether who shows the certificate of that context is let in, and trusts who lets it in; None: nothing answers."""
    import socket
    import ssl

    try:
        outside = socket.create_connection((address, port), TIMEOUT)
    except OSError:
        return None
    with outside:
        try:
            with context.wrap_socket(outside, server_hostname=protocol.AGENT) as inside:
                # In TLS 1.3 a refusal comes after the handshake. An agent ends an empty request, a head an empty name.
                inside.sendall(protocol.END if port == protocol.AGENT_PORT else b"\n")
                inside.recv(1)
        except TimeoutError:
            return None
        except (ssl.SSLError, ConnectionError):
            return False
        except OSError:
            return None
    return True

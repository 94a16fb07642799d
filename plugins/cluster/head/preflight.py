"""The checks before a host joins a cluster: plain facts in, findings out. Pure."""

from typing import NamedTuple

from minipaas_lib import api
from plugins.cluster.head import clock


class Facts(NamedTuple):
    """What was seen before anything is changed."""

    members: tuple = ()  # what each etcd member named says of itself: url, version, leads, serves, reason
    clocks: dict[str, float | None] = {}  # by URL, seconds ahead of ours; None: not known
    machines: tuple = ()  # that fleet hears of: id, address, metadata
    fleet: str = ""  # why fleet could not be asked; empty where it could
    owner: str = ""  # the other head whose state is in this etcd; empty where there is none
    frozen: dict[str, str] = {}  # locked apps and why
    interrupted: dict[str, str] = {}  # apps that a killed command left half done


def findings(facts: Facts) -> list["api.Finding"]:
    """What is to be said of each part, those that are wrong with what to type."""
    return [*_etcd(facts), *_clocks(facts), *_fleet(facts), *_apps(facts)]


def _etcd(facts: Facts) -> list["api.Finding"]:
    findings = []
    for member in facts.members:
        if member.serves:
            leads = ", leads" if member.leads else ""
            findings.append(api.Finding(f"etcd {member.url}", True, f"version {member.version}{leads}"))
        else:
            hint = (
                "ETCD_ENABLE_V2=true in its settings, then restart it"
                if member.version
                else "on that machine: systemctl status etcd"
            )
            findings.append(api.Finding(f"etcd {member.url}", False, member.reason or "does not answer", hint))
    serving = sum(member.serves for member in facts.members)
    if serving * 2 <= len(facts.members):
        message = f"{serving} of {len(facts.members)} members serve, a majority is needed"
        findings.append(api.Finding("etcd quorum", False, message, "start the members that are missing"))
    elif len(facts.members) in (1, 2):
        message = f"with {len(facts.members)} named, the loss of one ends it; three is the least that survives one"
        findings.append(api.Finding("etcd quorum", True, message))
    if facts.owner:
        findings.append(
            api.Finding(
                "etcd state", False, f"it contains the state of another head, {facts.owner}", "use another etcd"
            )
        )
    return findings


def _clocks(facts: Facts) -> list["api.Finding"]:
    findings = []
    for url, ahead in sorted(facts.clocks.items()):
        if ahead is not None and abs(ahead) > clock.LIMIT:
            way = "ahead of" if ahead > 0 else "behind"
            message = f"{abs(ahead):.0f} seconds {way} this host's"
            findings.append(
                api.Finding(f"clock of {url}", False, message, "on both machines: sudo timedatectl set-ntp true")
            )
    if not findings and any(ahead is not None for ahead in facts.clocks.values()):
        findings.append(api.Finding("clocks", True, f"agree within {clock.LIMIT:.0f} seconds"))
    return findings


def _fleet(facts: Facts) -> list["api.Finding"]:
    if facts.fleet:
        return [api.Finding("fleet", False, facts.fleet, "on a node: systemctl status fleet.socket fleet")]
    if not facts.machines:
        return [api.Finding("fleet", False, "it knows no machine", "on each node: systemctl status fleet")]
    findings = []
    for machine in facts.machines:
        name = machine.metadata.get("node", machine.id[:8])
        if not machine.address:
            hint = "set FLEET_PUBLIC_IP there, then on that node: systemctl restart fleet"
            findings.append(api.Finding(f"node {name}", False, "fleet does not know its address", hint))
        else:
            findings.append(api.Finding(f"node {name}", True, machine.address))
    return findings


def _apps(facts: Facts) -> list["api.Finding"]:
    findings = [
        api.Finding(f"app {app}", False, f"is locked: {why}", f"apps:unlock {app}")
        for app, why in sorted(facts.frozen.items())
    ]
    findings += [
        api.Finding(f"app {app}", False, why, f"ps:restore {app}") for app, why in sorted(facts.interrupted.items())
    ]
    return findings

"""What an image says about itself, from `docker image inspect`, and what its name says. Pure."""

import re

_OURS = re.compile(r"(?:docker-image://)?(?:(?:index\.)?docker\.io/)?minipaas/([a-z0-9][a-z0-9-]*)(?:[:@].*)?")


def named_app(reference: str) -> str:
    """The app whose image a reference names by the name that we give images, `minipaas/<app>:v3`; empty for any other.

    Nothing else may give such names: they are no registry's.
    """
    found = _OURS.fullmatch(reference.lower())
    return found[1] if found else ""


def owner(reference: str, config: dict) -> str:
    """The app that an image was built for, empty for nobody's; config: what `docker image inspect` calls Config.

    A name of ours tells it, and where it has another name the label that builds give. A label outlives apps:rename.
    """
    return named_app(reference) or str((config.get("Labels") or {}).get("minipaas.app") or "")


def port_of(config: dict, dockerfile: str) -> int:
    """The port the web process listens on: ENV PORT, else the TCP port that the Dockerfile EXPOSEs first; 0: none."""
    for entry in config.get("Env") or []:
        name, _, value = entry.partition("=")
        if name == "PORT" and re.fullmatch("[0-9]{1,5}", value) and 0 < int(value) < 65536:
            return int(value)
    order = mentioned_ports(dockerfile)
    ports = exposed(config, "tcp")
    return min(ports, key=lambda port: (order.index(port) if port in order else len(order), port), default=0)


def exposed(config: dict, protocol: str) -> list[int]:
    """The exposed ports of "tcp" or "udp", sorted."""
    found = []
    for entry in config.get("ExposedPorts") or {}:
        number, _, kind = entry.partition("/")
        if (kind or "tcp") == protocol and re.fullmatch("[0-9]{1,5}", number):
            found.append(int(number))
    return sorted(found)


def mentioned_ports(dockerfile: str) -> list[int]:
    """The numbers in EXPOSE lines in their order: an image does not remember it."""
    lines = re.findall(r"^[ \t]*EXPOSE[ \t]+([^\r\n#]*)", dockerfile, re.IGNORECASE | re.MULTILINE)
    return [int(number) for line in lines for number in re.findall(r"(?<![\w$.{-])(\d{1,5})(?=/tcp\b|\s|$)", line)]


def commands_of(config: dict) -> dict[str, str]:
    """{"web": ""} where the image has a command of its own."""
    return {"web": ""} if config.get("Cmd") or config.get("Entrypoint") else {}


def notes_of(app: str, config: dict, port: int) -> tuple[str, ...]:
    """Sentences about what is exposed and not routed."""
    others = [number for number in exposed(config, "tcp") if number != port]
    notes = [f"EXPOSE {n} is not routed; to route it: ports:add {app} http:{n}:{n}" for n in others[:5]]
    notes += [f"EXPOSE {n}/udp is not routed: only HTTP is" for n in exposed(config, "udp")[:5]]
    return tuple(notes)

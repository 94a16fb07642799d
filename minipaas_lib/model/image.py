"""What `docker image inspect` and the name of an image say about it. Pure."""

import re

_OURS = re.compile(r"(?:docker-image://)?(?:(?:index\.)?docker\.io/)?minipaas/([a-z0-9][a-z0-9-]*)(?:[:@].*)?")


def named_app(reference: str) -> str:
    """The app in a reference of the form that builds give, `minipaas/<app>:v3`; empty for any other.

    Nothing else may give such names: they belong to no registry.
    """
    match = _OURS.fullmatch(reference.lower())
    return match[1] if match else ""


def owner(reference: str, config: dict) -> str:
    """The app that an image was built for, empty if none; config: what `docker image inspect` calls Config.

    It is in the name that builds give or, if the image has another name, in their label, which outlives apps:rename.
    """
    return named_app(reference) or str((config.get("Labels") or {}).get("minipaas.app") or "")


def port_of(config: dict, dockerfile: str) -> int:
    """The port of the web process: ENV PORT, else the first TCP port that the Dockerfile EXPOSEs; 0 if none."""
    for entry in config.get("Env") or []:
        name, _, value = entry.partition("=")
        if name == "PORT" and re.fullmatch("[0-9]{1,5}", value) and 0 < int(value) < 65536:
            return int(value)
    order = mentioned_ports(dockerfile)
    ports = exposed(config, "tcp")
    return min(ports, key=lambda port: (order.index(port) if port in order else len(order), port), default=0)


def exposed(config: dict, protocol: str) -> list[int]:
    """The exposed ports of "tcp" or "udp", sorted."""
    ports = []
    for entry in config.get("ExposedPorts") or {}:
        number, _, transport = entry.partition("/")
        if (transport or "tcp") == protocol and re.fullmatch("[0-9]{1,5}", number):
            ports.append(int(number))
    return sorted(ports)


def mentioned_ports(dockerfile: str) -> list[int]:
    """The port numbers of EXPOSE lines in their order, which an image does not keep."""
    lines = re.findall(r"^[ \t]*EXPOSE[ \t]+([^\r\n#]*)", dockerfile, re.IGNORECASE | re.MULTILINE)
    return [int(number) for line in lines for number in re.findall(r"(?<![\w$.{-])(\d{1,5})(?=/tcp\b|\s|$)", line)]


def commands_of(config: dict) -> dict[str, str]:
    """{"web": ""} if the image has a command of its own."""
    return {"web": ""} if config.get("Cmd") or config.get("Entrypoint") else {}


def notes_of(app: str, config: dict, port: int) -> tuple[str, ...]:
    """Sentences about ports that are exposed but not routed."""
    others = [number for number in exposed(config, "tcp") if number != port]
    notes = [f"EXPOSE {n} is not routed; to route it: ports:add {app} http:{n}:{n}" for n in others[:5]]
    notes += [f"EXPOSE {n}/udp is not routed: only HTTP is" for n in exposed(config, "udp")[:5]]
    return tuple(notes)

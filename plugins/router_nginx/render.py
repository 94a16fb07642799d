"""The content of nginx's files. Pure: a route and a host's facts in, text out; equal input gives equal text."""

import re
import socket
import zlib
from typing import NamedTuple

from minipaas_lib import api
from plugins.router_nginx import allowed, headers, pages, settings, syntax, template

PROOF_DOMAIN = ".route.minipaas.invalid"  # what nginx is asked for the proof of an app's route (RFC 6761: nobody's)
GENERATION = "[A-Za-z0-9._-]{1,128}"
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = rf"(\*\.)?{_LABEL}(\.{_LABEL})*"
HEADER_FILES = {False: "headers.conf", True: "headers-trusted.conf"}
SERVER_FILE = "server.conf"
NOBODY = ".nobody.minipaas.invalid"  # of an app without a domain that has a port for itself
NAMES_ASKED = ("*.$minipaas_parent4", "*.$minipaas_parent3", "*.$minipaas_parent2", "*.$minipaas_parent1", "$host")
# What names.j2 returns for an owned name: a code of its own, the status that the visitor gets, and the page.
OWNED_PAGES = ((460, 404, "not-deployed"), (461, 503, "off"), (462, 404, "other-port"))
_HEAD = "# minipaas app={app} generation={generation} ports={ports}{default}\n"
NO_FOLDER = "/nonexistent/minipaas"  # never made
_NOTE = "# Written by minipaas; changes are lost. See: nginx:set, domains:add, ports:set\n\n"


class Place(NamedTuple):
    """nginx's paths and the addresses it listens on."""

    folder: str  # ours: main.conf, live/
    logs: str
    port: int = 80  # the one that every host answers on
    ipv6: bool = True

    @property
    def names(self) -> str:
        """The folder of the names that apps own (see owned)."""
        return f"{self.folder}/names"

    def listens(self, port: int) -> list[str]:
        return [str(port), f"[::]:{port}"] if self.ipv6 else [str(port)]


def app_file(route: "api.Route", place: Place) -> str:
    """The file of an app. Raises errors.BadConfig for an unsafe route."""
    check_route(route)
    ports = sorted({listener.host_port for listener in route.listeners})
    default = " default" if route.default else ""
    head = _HEAD.format(app=route.app, generation=route.generation, ports=",".join(map(str, ports)), default=default)
    values = _values(route, place)
    if route.template and route.backends and values["settings"]["custom-template"] == "on":
        body = _jinja("trust.conf.j2", values) + custom(route, values)
    else:
        body = _jinja("app.conf.j2", values)
    return _proven(head + _NOTE + body, route.app, route.generation, place)


def _proven(text: str, app: str, generation: str, place: Place) -> str:
    """The text with the server that is asked for the proof of it.

    Two states of a route may bear one generation (an app is stopped: same release), so the proof tells them apart.
    """
    proof = f"{generation}~{zlib.crc32(text.encode()):08x}"
    return text + _jinja(
        "proof.conf.j2",
        {"proof": proof, "proof_name": app + PROOF_DOMAIN, "proof_addresses": place.listens(place.port)},
    )


def withheld_file(app: str, state: str, domains: list[str], ports: set[int], place: Place) -> str:
    """The file of an app that is not routed, with a page for its names on the ports where another would answer them."""
    values = {
        "addresses": [address for port in sorted(ports) for address in place.listens(port)],
        "domains": sorted(domains),
        "page": "off" if state == "off" else "not-deployed",
        "status": 503 if state == "off" else 404,
    }
    head = _HEAD.format(app=app, generation=state, ports="", default="")
    return _proven(head + _NOTE + _jinja("withheld.conf.j2", values), app, state, place)


def catch_all(app: str, text: str, port: int, place: Place) -> str:
    """The file of a port on which an app answers for all names that no other app owns; empty if it has no server.

    It is the first server that the app's file has there, with other names. Its upstreams are its own, and so is the
    variable of the app's trusted proxies: of two files that need each other, a kill would leave one alone, and nginx
    would refuse both.
    """
    addresses = place.listens(port)
    try:
        tree = syntax.parse(text)
    except syntax.SyntaxProblem:
        return ""
    for server in tree:
        if (
            server.name != "server"
            or server.block is None
            or _made("server_name", app + PROOF_DOMAIN) in _bare(server.block)
        ):
            continue
        listens = [inner for inner in server.block if inner.name == "listen" and inner.arguments[0] in addresses]
        if not listens:
            continue
        claims = [_made("listen", *inner.arguments, "default_server") for inner in listens]
        others = [inner for inner in server.block if inner.name not in ("listen", "server_name")]
        guards = syntax.parse(_jinja("names.j2", _names(place)))
        upstreams = {one.arguments[0]: f"{one.arguments[0]}_all_{port}" for one in tree if one.name == "upstream"}
        made = [one._replace(arguments=(upstreams[one.arguments[0]],)) for one in tree if one.name == "upstream"]
        block = (*claims, _made("server_name", "_"), *guards, *_led_elsewhere(others, upstreams))
        proxies = [one for one in tree if one.name == "geo"]
        whole = _with_variable([*proxies, *made, _made("server", block=block)], _trusted_variable(app), f"_all_{port}")
        return f"# minipaas port={port} default={app}\n" + syntax.dump(whole)
    return ""


def _with_variable(block, name: str, ending: str) -> tuple:
    """Directives in which a variable has an ending to its name."""
    pattern = re.compile(re.escape(name[1:]) + r"(?![a-z0-9_])", re.IGNORECASE)
    return tuple(
        inner._replace(
            arguments=tuple(
                pattern.sub(lambda found: found[0] + ending, word) if "$" in word else word for word in inner.arguments
            ),
            block=None if inner.block is None else _with_variable(inner.block, name, ending),
        )
        for inner in block
    )


def _led_elsewhere(block, upstreams: dict[str, str]) -> tuple:
    """Directives whose requests go to upstreams of other names."""
    found = []
    for inner in block:
        if inner.name == "proxy_pass":
            scheme, _, rest = inner.arguments[0].partition("://")
            name = re.split("[/:?$]", rest, maxsplit=1)[0]
            if name in upstreams:
                inner = inner._replace(
                    arguments=(f"{scheme}://{upstreams[name]}{rest[len(name) :]}", *inner.arguments[1:])
                )
        elif inner.block is not None:
            inner = inner._replace(block=_led_elsewhere(inner.block, upstreams))
        found.append(inner)
    return tuple(found)


def _bare(block: tuple) -> list[syntax.Directive]:
    """Directives without their places in the text, to be compared."""
    return [inner._replace(line=0) for inner in block]


def _names(place: Place) -> dict:
    return {"names": place.names, "names_asked": NAMES_ASKED, "owned_pages": OWNED_PAGES, "named_pages": _named_pages()}


def _named_pages() -> dict[str, str]:
    return {name: page(words) for name, words in pages.NAMED.items()}


def proof_of(text: str) -> str:
    """nginx's answer on the proof name once it has loaded this text of app_file()."""
    return re.findall(r"^        return 200 (\S+);$", text, re.MULTILINE)[-1]


def custom(route: "api.Route", values: dict) -> str:
    """The result of the app's own template for its route, checked. Raises errors.BadConfig."""
    try:
        return _custom(route, values)
    except api.errors.BadConfig as error:
        hint = f"correct the template, or clear the permission: nginx:set {route.app} custom-template"
        raise api.errors.BadConfig(error.message, hint) from None


def _custom(route: "api.Route", values: dict) -> str:
    known = ("app", "domains", "listeners", "upstreams", "settings", "access_log", "error_log")
    text = template.render(route.template, {name: values[name] for name in known})
    try:
        tree = syntax.parse(text)
    except syntax.SyntaxProblem as problem:
        raise api.errors.BadConfig(f"nginx.conf.j2 is refused: {problem} of its result") from None
    listens = [address for listener in values["listeners"] for address in listener["addresses"]]
    servers = {server for upstream in values["upstreams"] for server in upstream["servers"]}
    allowed.check(tree, route.app, tuple(values["domains"]), servers, listens)
    return syntax.dump([_with_ours(directive, values) for directive in tree]) + "\n"


def _with_ours(directive: syntax.Directive, values: dict) -> syntax.Directive:
    """A server block with the app's log files, our error pages, and what we tell an app of a request.

    Its `root` is a folder that is not there: where a location names nothing that answers, nginx looks for a file, and
    no path leads through that folder to one, whatever a rewrite makes of it.
    """
    if directive.name != "server" or directive.block is None:
        return directive
    page = (
        _made("internal"),
        _made("default_type", "text/html"),
        _made("add_header", "Cache-Control", "no-store", "always"),
        _made("return", "404", "$minipaas_page"),
    )
    ours = [
        _made("include", values["server_file"]),
        *(_made(*line.split()) for line in values["real_address"]),
        _made("root", NO_FOLDER),
        _made("error_log", values["error_log"]),
        _made("location", "^~", "/.minipaas-pages/", block=page),
    ]
    named = {inner.name for inner in directive.block}
    for name, value in (
        ("reset_timedout_connection", "on"),
        ("proxy_max_temp_file_size", values["settings"]["proxy-max-temp-file-size"]),
    ):
        if name not in named:
            ours.append(_made(name, value))
    if "access_log" not in named:
        ours.append(_made("access_log", values["access_log"], "minipaas"))
    block = _with_headers(directive.block, values, True)
    return directive._replace(block=(*ours, *block, *_error_pages(directive.block)))


def _with_headers(block: tuple, values: dict, always: bool) -> tuple:
    """A block with the headers that we give each request, but for those that it names itself; so within its blocks.

    Where a block names none, nginx takes those of the block around it, so only the outermost (`always`) needs ours.
    """
    inside = [
        inner if inner.block is None else inner._replace(block=_with_headers(inner.block, values, False))
        for inner in block
    ]
    named = {inner.arguments[0].lower() for inner in block if inner.name == "proxy_set_header"}
    if named or always:
        missing = {name: value for name, value in values["request_headers"].items() if name.lower() not in named}
        inside += [_made("proxy_set_header", name, value) for name, value in missing.items()]
        inside.append(_made("include", values["foreign_headers"]))
    return tuple(inside)


def _error_pages(block: tuple) -> list[syntax.Directive]:
    """What nginx itself has to say, after what the template says of it.

    Not where the template has nginx replace the app's answers: those would be ours, too.
    """
    if any(inner.name == "proxy_intercept_errors" and inner.arguments == ("on",) for inner in _all(block)):
        return []
    return [
        _made("error_page", *pages.OF_APPS.split(), "/.minipaas-pages/"),
        _made("error_page", "494", "=400", "/.minipaas-pages/"),
    ]


def _all(block: tuple):
    for directive in block:
        yield directive
        yield from _all(directive.block or ())


def _made(name: str, *arguments: str, block: tuple | None = None) -> syntax.Directive:
    return syntax.Directive(name, arguments, block, 0)


def main_file(place: Place, live: str, set_elsewhere: set[str]) -> str:
    """main.conf. live: the folder of the apps' files; set_elsewhere: hash sizes that the host's own files set."""
    sizes = {
        "server_names_hash_bucket_size": 512,  # a name may have 253 characters
        "server_names_hash_max_size": 16384,
        "variables_hash_bucket_size": 128,
        "variables_hash_max_size": 2048,
    }
    hash_sizes = [f"{name} {size}" for name, size in sizes.items() if name not in set_elsewhere]
    values = {
        "foreign": headers.FOREIGN,
        "variable": headers.variable,
        "pages": {status: page(pages.PAGES[status]) for status in pages.PAGES},
        "named_pages": _named_pages(),
        "live": live,
        "hash_sizes": hash_sizes,
    }
    return _jinja("main.conf.j2", values)


def port_file(port: int, place: Place) -> str:
    """The file that answers unknown hosts on a port."""
    values = {"port": port, "addresses": place.listens(port), "server_file": f"{place.folder}/{SERVER_FILE}"}
    return _jinja("port.conf.j2", values | _names(place))


def shared_files(everywhere: dict[str, str]) -> dict[str, str]:
    """The files that servers include, by name: what holds for all of them, and the foreign headers of requests.

    everywhere: the properties of this nginx, see settings.everywhere(). Of the files of headers one is for apps that
    believe no proxy, one for those that do.
    """
    values = {"foreign": headers.FOREIGN, "variable": headers.variable}
    values["look_alikes"] = headers.look_alikes() if everywhere["underscores-in-headers"] == "on" else []
    made = {name: _jinja("headers.conf.j2", values | {"trusted": trusted}) for trusted, name in HEADER_FILES.items()}
    return made | {SERVER_FILE: _jinja("server.conf.j2", {"everywhere": everywhere})}


def page(words: tuple[str, str]) -> str:
    """A page of such a title and text as one word of nginx's configuration."""
    title, text = words
    return syntax.quote(_jinja("page.html.j2", {"title": title, "text": text}))


def server_address(address: str, port: int) -> str:
    """An upstream server as nginx writes it; IPv6 addresses stand in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def upstream_name(app: str, port: int) -> str:
    return f"minipaas_{app}_{port}"


def check_route(route: "api.Route") -> None:
    """Refuse a route with anything that nginx could interpret as syntax. Raises errors.BadConfig."""
    wrong: list[tuple[str, object]] = []
    if not re.fullmatch(api.names.APP_NAME, route.app):
        wrong.append(("app", route.app))
    if not re.fullmatch(GENERATION, route.generation):
        wrong.append(("generation", route.generation))
    for name in route.domains:
        if len(name) > 253 or not re.fullmatch(_DOMAIN, name) or name.endswith((PROOF_DOMAIN, NOBODY)):
            wrong.append(("domain", name))
    wrong += [("address", backend.address) for backend in route.backends if not _is_address(backend.address)]
    wrong += [
        ("port", port) for backend in route.backends for pair in backend.ports for port in pair if not _is_port(port)
    ]
    for listener in route.listeners:
        ports = (listener.host_port, listener.container_port)
        if listener.scheme != "http" or not all(map(_is_port, ports)):
            wrong.append(("listener", f"{listener.scheme}:{listener.host_port}:{listener.container_port}"))
    for what, value in wrong:
        raise api.errors.BadConfig(
            f"nginx cannot route {api.names.safe(str(route.app))}: its {what} {api.names.safe(str(value))} is not valid"
        )


def _trusted_variable(app: str) -> str:
    """The variable for whether a request came from one of the app's proxies."""
    return "$minipaas_trusted_" + app.replace("-", "_")


def _is_port(port: object) -> bool:
    return type(port) is int and 0 < port < 65536


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return bool(socket.inet_pton(family, text)) and "%" not in text
        except (OSError, ValueError):
            continue
    return False


def _values(route: "api.Route", place: Place) -> dict:
    container_ports = sorted({listener.container_port for listener in route.listeners})
    upstreams = [
        {
            "name": upstream_name(route.app, port),
            "port": port,
            "servers": sorted({server_address(backend.address, backend.at(port)) for backend in route.backends}),
        }
        for port in container_ports
        if route.backends
    ]
    listeners = [
        {
            "scheme": listener.scheme,
            "host_port": listener.host_port,
            "container_port": listener.container_port,
            "upstream": upstream_name(route.app, listener.container_port) if route.backends else "",
            "addresses": place.listens(listener.host_port),
        }
        for listener in sorted(route.listeners, key=lambda listener: listener.host_port)
        if route.domains or route.default or listener.host_port not in (place.port, 80, 443)
    ]
    chosen = settings.complete(route.settings)
    trusted = chosen["trusted-proxy"] != "off"
    proxies = settings.proxies(chosen["trusted-proxy"])
    trusted_variable = _trusted_variable(route.app)
    real_address = []
    if trusted:
        real_address = [f"set_real_ip_from {network}" for network in proxies or settings.EVERYBODY]
        real_address += ["real_ip_header X-Forwarded-For", f"real_ip_recursive {'on' if proxies else 'off'}"]
    if proxies:
        real_address.append(f"set $minipaas_trusted {trusted_variable}")
    return {
        "app": route.app,
        "domains": sorted(set(route.domains)) or [route.app + NOBODY],
        "upstreams": upstreams,
        "listeners": listeners,
        "settings": chosen,
        "websocket_timeout": settings.websocket_timeout(chosen),
        "request_headers": headers.of_requests(trusted),
        "foreign_headers": f"{place.folder}/{HEADER_FILES[trusted]}",
        "server_file": f"{place.folder}/{SERVER_FILE}",
        "real_address": real_address,
        "proxies": proxies,
        "trusted_variable": trusted_variable,
        "access_log": f"{place.logs}/{route.app}-access.log",
        "error_log": f"{place.logs}/{route.app}-error.log",
        "page_statuses_of_apps": pages.OF_APPS,
    }


_environment = None


def _jinja(name: str, values: dict) -> str:
    global _environment
    if _environment is None:
        api.activate()
        import jinja2

        def load(wanted: str) -> str:
            return api.paths.resource("nginx/" + wanted).decode()

        _environment = jinja2.Environment(  # nginx's syntax, not HTML; check_route() lets no other text in
            loader=jinja2.FunctionLoader(load),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
    return _environment.get_template(name).render(values)

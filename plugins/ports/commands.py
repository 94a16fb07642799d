"""The ports:* commands."""

import click

from minipaas_lib import api
from plugins.ports import hooks, mapping, state

_mappings = click.argument("words", nargs=-1, required=True, metavar="<scheme:host-port:container-port>...")


@api.commands.command("ports:list")
@api.commands.format_option
@api.commands.app_argument
def ports_list(format, app):
    """List the port mappings of an app.

    \b
    e.g.: ports:list blog
    """
    rows = [one._asdict() for one in state.effective(api.app(app))]
    api.commands.print_table(rows, format)


@api.commands.command("ports:set")
@api.commands.app_argument
@_mappings
@api.commands.wait_option
def ports_set(app, words):
    """Replace all port mappings of an app.

    \b
    e.g.: ports:set blog http:80:5000 http:8080:9000
    """
    wanted = state.added([], [mapping.parse(word) for word in words], app)
    _change(app, "ports: " + " ".join(map(str, wanted)), lambda present: wanted)


@api.commands.command("ports:add")
@api.commands.app_argument
@_mappings
@api.commands.wait_option
def ports_add(app, words):
    """Map further ports of the host to an app. Those it has stay.

    \b
    e.g.: ports:add blog http:8080:9000
    """
    new = [mapping.parse(word) for word in words]
    _change(app, "ports: added " + " ".join(map(str, new)), lambda present: state.added(present, new, app))


@api.commands.command("ports:remove")
@api.commands.app_argument
@click.argument("words", nargs=-1, required=True, metavar="<host-port or mapping>...")
@api.commands.wait_option
def ports_remove(app, words):
    """Remove port mappings of an app, each named whole or by its port of the host.

    \b
    e.g.: ports:remove blog 8080
          ports:remove blog http:8080:9000
    """
    _change(app, "ports: removed " + " ".join(words), lambda present: state.without(present, words, app))


@api.commands.command("ports:clear")
@api.commands.app_argument
@api.commands.wait_option
def ports_clear(app):
    """Go back to the mapping that fits the app: port 80 to the port its web processes use.

    \b
    e.g.: ports:clear blog
    """
    api.change(app, "ports: as fits the app", lambda document: state.write(document, []))
    _tell(app)


ports_report = api.commands.report_command("ports", state.rows, "Show the port mappings of an app, or of all.")


def _change(app: str, reason: str, change) -> None:
    """`change` makes the new mappings of the present ones; it runs again if another writer was faster."""
    api.app(app)

    def edit(document):
        present = state.effective(api.App(app, document))
        state.write(document, change(present))

    api.change(app, reason, edit)
    _tell(app)


def _tell(app: str) -> None:
    mappings = state.effective(api.app(app))
    api.output.step(f"ports of {app}: " + " ".join(map(str, mappings)))
    for barrier in hooks.barriers([one.host_port for one in mappings]):
        api.output.warn(barrier.said)
        api.output.info(f"to open it, as root: {barrier.fix}")

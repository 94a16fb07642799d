"""The commands ssh-keys:*."""

import click

from minipaas_lib import api
from plugins.ssh_keys import public_key, users

_RESERVED = "root"  # what the local command line is called where a key's name would stand


@api.commands.command("ssh-keys:add")
@click.argument("name", metavar="<name>")
@click.argument("file", metavar="[<file>|-]", default="-")
def ssh_keys_add(name, file):
    """Let an SSH key use this host. The public key comes from stdin, or from a file of this host.

    Every key may do everything here.

    \b
    e.g.: ssh paas@<host> ssh-keys:add anna < anna.pub
          minipaas ssh-keys:add anna /root/anna.pub
    """
    users.require_admin()
    if api.names.key_name(name) == _RESERVED:
        raise api.errors.UsageError(
            f"{name} is reserved for the local command line", "give another name, such as: admin"
        )
    key = public_key.parse(api.commands.read_input(file, public_key.SIZE_LIMIT))
    users.add(name, key)
    api.output.step(f"Added {name}: {key.fingerprint}")


@api.commands.command("ssh-keys:list")
@api.commands.format_option
@click.argument("name", metavar="[<name>]", required=False)
def ssh_keys_list(format, name):
    """List the SSH keys that may use this host, or one of them.

    \b
    e.g.: ssh-keys:list
          ssh-keys:list anna --format json
    """
    present = users.all_users()
    chosen = [user for user in present if name is None or user.name == api.names.key_name(name)]
    if name is not None and not chosen:
        raise users.missing(name, present)
    rows = [
        {"name": user.name, "fingerprint": key.fingerprint, "type": key.type, "comment": key.comment}
        for user in chosen
        for key in user.keys
    ]
    api.commands.print_table(rows, format)
    if not rows and format == "stdout":
        api.output.info("there are no keys yet; to add one: ssh-keys:add <name> < key.pub")


@api.commands.command("ssh-keys:remove")
@click.option("--fingerprint", metavar="SHA256:...", help="The key's fingerprint, in place of its name")
@click.argument("name", metavar="[<name>]", required=False)
def ssh_keys_remove(name, fingerprint):
    """Take the right to use this host from an SSH key. What it has deployed stays.

    A connection of it that is open can type nothing more, and what follows there ends within a minute: logs -t, run,
    enter. A deploy in progress continues.

    \b
    e.g.: ssh-keys:remove anna
          ssh-keys:remove --fingerprint SHA256:UxcR...
    """
    users.require_admin()
    if (name is None) == (fingerprint is None):
        raise api.errors.UsageError("either a name or --fingerprint must be given", "ssh-keys:remove <name>")
    name = _by_fingerprint(fingerprint) if name is None else api.names.key_name(name)
    left = users.remove(name)
    api.output.step(f"Removed {name}")
    if not left:
        api.output.warn("no key is left: only root on this host can add one, with minipaas ssh-keys:add")


def _by_fingerprint(fingerprint: str) -> str:
    """The name of the key with that fingerprint. Raises errors.NotFound."""
    wanted = "SHA256:" + fingerprint.removeprefix("SHA256:")
    for user in users.all_users():
        if any(key.fingerprint == wanted for key in user.keys):
            return user.name
    raise api.errors.NotFound(f"there is no key with the fingerprint {api.names.safe(wanted)}", "ssh-keys:list")

"""What install.sh calls when the program is in its place."""

from minipaas_lib import api


@api.commands.command("install:finish")
def install_finish():
    """Let every plugin put in place what it needs on this host.

    Repeatable: install.sh calls it after every installation and upgrade.
    """
    api.check_store(api.store())
    api.call("installed")

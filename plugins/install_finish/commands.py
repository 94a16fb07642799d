"""What install.sh calls when the program is in its place."""

from minipaas_lib import api


@api.commands.command("install:finish")
def install_finish():
    """Let every plugin put in place what it needs on this host.

    Repeatable: install.sh calls it after every installation and upgrade.
    """
    api.kernel.check_store(api.kernel.store())
    failed = False
    for plugin in api.kernel.index.load().hooks.get("installed", ()):
        try:
            api.call_one("installed", plugin)
        except Exception as error:  # nginx is set up even if one app's repository cannot be written
            failed = True
            said = error.message if isinstance(error, api.errors.MinipaasError) else f"{type(error).__name__}: {error}"
            api.output.warn(f"{plugin}: {said}")
            if hint := getattr(error, "hint", ""):
                api.output.info(hint)
    return 1 if failed else 0

"""Which version of minipaas this is."""

from minipaas_lib import __version__, api


@api.commands.command("version")
@api.commands.format_option
def version(format):
    """Print the version of minipaas, and the build where it was installed as one.

    \b
    e.g.: version
          version --format json
    """
    try:
        from minipaas_build import BUILD
    except ImportError:  # a checkout
        BUILD = ""
    if format == "json":
        api.commands.print_json({"version": __version__, "build": BUILD})
    else:
        api.output.data(f"minipaas {__version__}" + (f" (build {BUILD})" if BUILD else ""))

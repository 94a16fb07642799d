"""Run a command line, under gevent if the command follows many streams."""


def run(argv: list[str]) -> int:
    """Run a command line of an admitted caller."""
    from minipaas_lib import words

    argv = words.command_first(argv)
    if needs_gevent(argv):
        # Before anything else is imported: later, a patch would not affect ssl and urllib3.
        from minipaas_lib import vendor

        vendor.activate()
        from gevent import monkey

        monkey.patch_all()
    from minipaas_lib import cli

    return cli.run(argv)


def needs_gevent(argv: list[str]) -> bool:
    """Whether the command follows many streams at once."""
    if not argv:
        return False
    from minipaas_lib.bus import index

    entry = index.load().commands.get(argv[0])
    return entry is not None and any(word in entry.gevent for word in argv[1:])

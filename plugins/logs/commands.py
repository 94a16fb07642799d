"""The commands logs and logs:failed."""

import os
import re

import click

from minipaas_lib import api
from plugins.logs import lines

command, app_argument = api.commands.command, api.commands.app_argument


@command(
    "logs",
    help="Show the last output of an app's processes, merged by time.\n\n\b\n"
    "e.g.: logs blog\n      logs -t -p web blog\n      logs -n 500 -p worker.1 blog",
)
@click.option("-t", "--tail", is_flag=True, help="Go on with new output until interrupted, across deploys")
@click.option(
    "-n", "--num", type=click.IntRange(0, 100_000), default=100, metavar="N", help="Lines of each process (100)"
)
@click.option("-p", "--ps", "process", metavar="TYPE[.N]", help="Only this process type, or this one process")
@click.option("-q", "--quiet", is_flag=True, help="Only the output itself: no times, names and colours")
@app_argument
def logs(tail, num, process, quiet, app):
    kind, index = lines.chosen(process)
    api.app(app)
    if api.live_release(app) is None and not tail:
        raise api.errors.NotFound(f"{app} is not deployed, so it has printed nothing yet", f"logs:failed {app}")
    printer = lines.Printer(api.output.colours(), quiet)
    if tail:
        _follow(app, num, kind, index, printer)
        return
    everything = api.scheduler().processes(app)
    found = [p for p in everything if kind in (None, p.process_type) and index in (None, p.index)]
    if not found:
        raise _none(app, process, everything)
    printer.expect([f"{p.process_type}.{p.index}" for p in found])
    shown = [printer.text(line) for line in api.scheduler().logs(found, num)]
    if shown:
        api.output.data("\n".join(shown), styles=True)


def _none(app: str, process: str | None, everything: list) -> "api.errors.NotFound":
    """The error for an app, or a choice of its processes, without a process."""
    if everything:
        present = " ".join(sorted({f"{p.process_type}.{p.index}" for p in everything}))
        return api.errors.NotFound(f"{app} has no process {process}", f"one of: {present}")
    return api.errors.NotFound(f"{app} has no processes", f"ps:start {app}")


def _follow(app: str, num: int, kind: str | None, index: int | None, printer: lines.Printer) -> None:
    """Print lines as they come, until Ctrl-C or until nobody reads any more."""
    import signal

    import gevent

    main = gevent.getcurrent()
    api.kernel.end_with_key()
    gevent.signal_handler(signal.SIGINT, main.throw, KeyboardInterrupt)  # else it ends whichever greenlet runs just now
    present = [p for p in api.scheduler().processes(app) if kind in (None, p.process_type)]
    printer.expect([f"{p.process_type}.{p.index}" for p in present])
    watch = gevent.spawn(_leave_with_reader, main)
    try:
        for line in api.scheduler().follow(app, num, kind, index):
            api.output.data(printer.text(line), styles=True)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        watch.kill(block=False)


def _leave_with_reader(main) -> None:
    """End the greenlet `main` when stdout's reader is gone: a silent app would never let a write find out."""
    import select

    import gevent
    from gevent.monkey import get_original

    poll = get_original("select", "poll")()  # gevent's own tells no hang-up where nothing else is asked for
    poll.register(1, 0)
    while not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        gevent.sleep(1)
    main.throw(BrokenPipeError("nobody reads any more"))


@command(
    "logs:failed",
    help="Show the output of the last release of an app that failed, its build included.\n\n\b\n"
    "e.g.: logs:failed blog\n      logs:failed --all",
)
@click.option("--all", "everywhere", is_flag=True, help="Of every app")
@api.commands.optional_app_argument
def logs_failed(everywhere, app):
    if everywhere == (app is not None):
        raise api.errors.UsageError("either an app or --all must be given", "logs:failed --help")
    if app:
        path = _last_failed(api.app(app).name)
        if path is None:
            raise api.errors.NotFound(f"no release of {app} has failed", f"logs {app}")
        _print_file(path)
        return 0
    broken: list[str] = []
    for name, path in api.of_each_app(_last_failed, broken).items():
        if path:
            api.output.data(f"=====> {name} {os.path.basename(path).removesuffix('.log')}")
            _print_file(path)
    return 1 if broken else 0


def _last_failed(app: str) -> str | None:
    """The kept output of the newest release that failed; one that was never written failed in its build."""
    try:
        files = os.listdir(api.paths.output(app))
    except FileNotFoundError:
        return None
    numbers = sorted((int(name[1:-4]) for name in files if re.fullmatch(r"v[0-9]{1,9}\.log", name)), reverse=True)
    fine = {release.number for release in api.releases(app) if release.status != "failed"}
    failed = next((number for number in numbers if number not in fine), None)
    return None if failed is None else os.path.join(api.paths.output(app), f"v{failed}.log")


def _print_file(path: str) -> None:
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            api.output.data(line.rstrip("\n"))

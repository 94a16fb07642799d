"""Kill a command before or after any step that it records in the journal: a seam that minipaas itself does not have.

A test wraps the journal of its own process (`wrap`), or installs for a while a program whose journal is wrapped
(`program`).
"""

import contextlib
import os
import threading

from minipaas_lib import paths

FAULTS = "faults"
"""A file of paths.root(). Where it is there, each point of each step that is passed is noted in `faults.seen`.

A line is an app, the number of a step in its command, and "before" or "after". Whoever comes to the point that the
first line names is killed. The line is taken away before that, so that the next is for the command that recovers.
"""


def wrap(journal, setattr=setattr) -> None:
    """Put a point before and after each step of this module, by `setattr`; steps are counted from journal.begin on."""
    begin, step, count, one_at_a_time = journal.begin, journal.step, [0], threading.Lock()

    def counting_begin(app: str, operation: str, **about) -> None:
        count[0] = 0
        begin(app, operation, **about)

    @contextlib.contextmanager
    def mortal_step(app: str, what: str):
        with step(app, what):
            with one_at_a_time:  # processes that start side by side have a step each
                count[0] += 1
                number = count[0]
            pass_point(journal, app, number, "before", what)
            yield
            pass_point(journal, app, number, "after", what)

    setattr(journal, "begin", counting_begin)
    setattr(journal, "step", mortal_step)


def pass_point(journal, app: str, number: int, when: str, what: str) -> None:
    """Note that we come by, and end here if that is wanted: see FAULTS."""
    faults = os.path.join(paths.root(), FAULTS)
    if not os.path.exists(faults):
        return
    with open(faults, encoding="utf-8") as file:
        first, _, rest = file.read().partition("\n")
    with open(faults + ".seen", "a", encoding="utf-8") as file:
        file.write(f"{app} {number} {when} {what}\n")
    if first == f"{app} {number} {when}":
        with open(faults, "w", encoding="utf-8") as file:
            file.write(rest)
        journal.die()


JOURNAL = "minipaas_lib/journal/journal.py"
WRAPPING = b"\nimport sys\n\nimport kill_points\n\nkill_points.wrap(sys.modules[__name__])\n"


@contextlib.contextmanager
def program(link: str = "/usr/local/bin/minipaas"):
    """The program that is installed at `link` (a symlink), with these points in it; afterwards the former one again.

    The file itself stays until this process ends: what a command left in the background may go on to import from it.
    """
    former = os.readlink(link)
    made = os.path.join(os.path.dirname(former), "kill-points.pyz")
    _write_program(former, made)
    _switch(link, made)
    try:
        yield
    finally:
        _switch(link, former)


def _write_program(original: str, made: str) -> None:
    import atexit

    from minipaas_lib import bundle

    if not os.path.exists(made):
        atexit.register(os.unlink, made)
    tree = bundle.unpack(original)
    sources = {name: content for name, (content, _) in bundle.unpack(tree["source.zip"][0]).items()}
    sources[JOURNAL] += WRAPPING
    with open(__file__, "rb") as file:
        sources["kill_points.py"] = file.read()
    modules = {
        name: source for name, source in sources.items() if name.endswith(".py") and not bundle.SETUP.fullmatch(name)
    }
    bundle.write(made, tree | bundle._modules(modules))


def _switch(link: str, target: str) -> None:
    os.symlink(target, link + ".new")
    os.replace(link + ".new", link)

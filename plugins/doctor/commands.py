"""Ask every plugin what is broken and report it in the order in which a request passes the parts."""

import dataclasses

import click

from minipaas_lib import api

ORDER = (
    "docker",
    "network",
    "firewall",
    "nginx",
    "include",
    "pages",
    "store",
    "sshd",
    "authorized_keys",
    "git-shell",
    "program",
    "disk",
)


@api.commands.command("doctor", every=True)
@click.option(
    "--fix",
    is_flag=True,
    help="First finish or undo what interrupted commands left, and remove processes without an app",
)
@api.commands.format_option
def doctor(format, fix):
    """Look for what is broken on this host and in its apps.

    Each part is ok or broken, with the fix; the first broken one is named at the end. The exit status is 1 if any is.

    \b
    e.g.: doctor
          doctor --fix
          doctor --format json
    """
    failed = put_right() if fix else []
    findings = [*in_order(collect(None)), *of_apps(), *of_no_app()]
    broken = [finding for finding in findings if not finding.ok]
    if format == "json":
        api.commands.print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        show(findings, broken)
    return 1 if broken or failed else 0


def put_right() -> list[str]:
    """Finish or undo what was interrupted, and remove orphans; return the apps for which that failed."""
    failed: list[str] = []
    done = api.kernel.recover_all(failed)
    try:
        done += api.kernel.orphans.remove()
    except api.errors.MinipaasError as error:  # docker's own finding says more
        api.output.warn(f"processes without an app stay: {error.message}")
    for said in done or ["nothing was left unfinished"]:
        api.output.step(said)
    return failed


def show(findings: list, broken: list) -> None:
    """The findings for people."""
    width = max((len(finding.part) for finding in findings), default=0)
    for finding in findings:
        api.output.data(f"{'ok    ' if finding.ok else 'BROKEN'}  {finding.part:<{width}}  {finding.said}")
        if not finding.ok and finding.fix:
            api.output.data(f"{'':{width + 10}}fix: {api.kernel.address.fill(finding.fix)}")
    if broken:
        api.output.warn(f"the first broken link is {broken[0].part}: {broken[0].said}")
        if broken[0].fix:
            api.output.hint(broken[0].fix)


def collect(app: "api.App | None") -> list:
    """What all plugins say of the host, or of an app. A plugin that fails has broken its word, which is a finding."""
    findings: list = []
    try:
        for found in api.call("doctor", app=app):
            findings += found
    except Exception as error:
        said = error.message if isinstance(error, api.errors.MinipaasError) else f"{type(error).__name__}: {error}"
        findings.append(
            api.Finding(
                "host" if app is None else f"app {app.name}", False, f"it cannot be checked: {said}", "doctor --trace"
            )
        )
    return findings


def in_order(findings: list) -> list:
    """The findings about the host, first that which a request meets first. "nginx: include" counts as include."""

    def place(finding) -> int:
        words = [word for word in finding.part.replace(":", " ").split() if word in ORDER]
        return ORDER.index(words[-1]) if words else len(ORDER)

    return sorted(findings, key=place)


def of_no_app() -> list:
    """What runs or is routed for apps that have no document."""
    try:
        strays, any_app = api.kernel.orphans.found(), api.app_names()
    except api.errors.MinipaasError:
        return []  # docker's or the store's own finding says why
    fix = (
        "to remove it: doctor --fix"
        if any_app
        else f"restore the lost state to {api.paths.state()}, or remove it: docker rm -f <name>"
    )
    return [
        api.Finding(
            f"app {api.names.safe(name)[1:-1]}",
            False,
            f"{api.kernel.orphans.words(processes)} without an app of that name",
            fix,
        )
        for name, processes in strays.items()
    ]


def of_apps() -> list:
    """The findings about each app, by name."""
    findings: list = []
    try:
        names = api.app_names()
    except api.errors.MinipaasError:
        return []  # the store's own finding says why
    for name in names:
        try:
            app = api.app(name)
            api.releases(name)
        except Exception as error:
            if not isinstance(error, api.errors.MinipaasError):
                findings.append(
                    api.Finding(
                        f"app {name}",
                        False,
                        f"it cannot be checked: {type(error).__name__}: {error}",
                        "doctor --trace",
                    )
                )
            elif not api.kernel.app_is_gone(name, error):
                findings.append(api.Finding(f"app {name}", False, error.message, error.hint))
        else:
            findings += sorted(collect(app), key=lambda finding: "route" in finding.part)  # its processes come first
    return findings

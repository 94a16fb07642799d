"""Commands of the repository that run once per deploy, in containers of their own from the new image.

`Release.tasks` names them: "predeploy" (app.json scripts.dokku.predeploy) and "release" (Procfile) run before any
process of the release starts, "first_postdeploy" (scripts.postdeploy, the first deploy only) and "postdeploy"
(scripts.dokku.postdeploy) once it is live.
"""

import dataclasses

from minipaas_lib import errors, output
from minipaas_lib.bus.engines import Scheduler
from minipaas_lib.deploy import postmortem
from minipaas_lib.deploy.compose import container_spec
from minipaas_lib.journal import journal
from minipaas_lib.model.app_json import AppJson
from minipaas_lib.model.process import process_name
from minipaas_lib.model.release import Release

BEFORE = {"predeploy": "the predeploy script", "release": "the release task"}
AFTER = {"first_postdeploy": "the first deploy's postdeploy script", "postdeploy": "the postdeploy script"}


def of_build(commands: dict[str, str], parsed: AppJson | None) -> dict[str, str]:
    """The tasks of a commit, from `release` in its Procfile and from its app.json."""
    scripts = parsed.scripts if parsed else None
    tasks = {
        "release": commands.get("release", ""),
        "predeploy": scripts.predeploy if scripts else None,
        "first_postdeploy": scripts.first_postdeploy if scripts else None,
        "postdeploy": scripts.postdeploy if scripts else None,
    }
    return {name: command for name, command in tasks.items() if command}


def before_start(scheduler: Scheduler, release: Release) -> None:
    """Run the tasks before the start, if the release has new processes. Raises errors.DeployFailed if one fails."""
    if release.number != release.processes:
        return
    for name, title in BEFORE.items():
        code = run_task(scheduler, release, name, title)
        if code:
            error = errors.DeployFailed(
                f"{title} ended with exit code {code}{postmortem.meaning(code)}", f"logs:failed {release.app}"
            )
            error.phase = f"in {title}"
            raise error


def after_live(scheduler: Scheduler, release: Release, first: bool) -> None:
    """Run the tasks after the release is live. A failure is reported, and the release stays."""
    if release.number != release.processes:
        return
    for name, title in AFTER.items():
        if name == "first_postdeploy" and not first:
            continue
        try:
            code = run_task(scheduler, release, name, title)
            problem = f"ended with exit code {code}{postmortem.meaning(code)}" if code else ""
        except errors.MinipaasError as error:
            problem = f"could not run: {error.message}"
        if problem:
            output.warn(f"{title} {problem}; {release.name} of {release.app} stays live")
            output.info(f"run {release.app} {release.tasks[name]}")


def run_task(scheduler: Scheduler, release: Release, name: str, title: str) -> int:
    """Run a task, if the release has it, with its output indented and kept; return its exit code."""
    command = release.tasks.get(name, "")
    if not command:
        return 0
    output.step(f"Running {title}: {command}")
    # Like a web process: a migration needs its mounts and limits.
    like = container_spec(release, "web" if "web" in release.commands else next(iter(release.commands), "web"), 1)
    process_type = name.partition("_")[0]
    spec = dataclasses.replace(
        like,
        name=process_name(release.app, release.processes, process_type, 1),
        process_type=process_type,
        command=command,
        port=0,
        healthcheck=None,
    )
    with journal.step(release.app, f"run {title}"):
        return scheduler.task(spec, output.info)

"""The builds of an app, read from its releases: a build has the number of the release that it was made for."""

import calendar
import itertools
import os
import time

from minipaas_lib import api

_CANCELLED = "cancelled"  # how the failure of a release begins that somebody stopped (errors.Cancelled)


def is_build(release) -> bool:
    """Whether the release was built; the others (config, scale, rollback) run the image of an earlier one."""
    return bool(release.build_seconds) or (not release.image and bool(release.builder))  # the latter was killed at it


def row(release) -> dict:
    """One past build. size is filled in by who asks docker: bytes, or None."""
    return {
        "number": release.number,
        "status": status(release),
        "builder": release.builder,
        "commit": release.commit,
        "seconds": release.build_seconds,
        "size": None,
        "when": release.created,
        "who": release.who,
    }


def status(release) -> str:
    """succeeded, failed or cancelled: of the build, whatever became of the release after it."""
    if release.image:
        return "succeeded"
    return _CANCELLED if release.failure.startswith(_CANCELLED) else "failed"


def running_row(now) -> dict:
    """The build in progress."""
    return {
        "number": now.number,
        "status": "building" if now.building else "deploying",
        "builder": now.builder,
        "commit": now.commit,
        "seconds": since(now.began),
        "size": None,
        "when": now.began,
        "who": now.key,
    }


def since(moment: str) -> int:
    """Seconds from a time in UTC, ISO 8601, until now; 0 for what is none."""
    try:
        began = calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0
    return max(0, int(time.time() - began))


def rows(app: str, count: int) -> list[dict]:
    """The newest `count` builds, a running one first, with the sizes of their images where docker has them."""
    now = api.kernel.underway(app)
    running = [now] if now and now.commit and _builds(app, now) else []
    past = (release for release in api.kernel.newest_releases(app) if is_build(release))
    past = (release for release in past if not running or release.number != running[0].number)
    finished = list(itertools.islice(past, count - len(running)))
    sizes = sizes_of([release.image for release in finished if release.image])
    return [running_row(release) for release in running] + [
        row(release) | {"size": sizes.get(release.image)} for release in finished
    ]


def _builds(app: str, now) -> bool:
    """Whether the deploy in progress has a build; a change of config has a commit too, but an image from the start."""
    return now.building or is_build(api.release(app, now.number))


def info(app: str, number: int) -> dict:
    """All about one build. Raises errors.NotFound, errors.UsageError for a release that was not built."""
    now = api.kernel.underway(app)
    if now and now.number == number and now.building:
        found = running_row(now) | {"step": now.step, "reason": now.reason, "failure": "", "image": "", "author": ""}
    else:
        release = api.release(app, number)
        if not is_build(release):
            raise api.errors.UsageError(f"v{number} of {app} was not built{_whose(release)}", f"builds:list {app}")
        found = row(release) | {
            "size": sizes_of([release.image]).get(release.image) if release.image else None,
            "step": "",
            "reason": release.reason,
            "failure": release.failure,
            "image": release.image,
            "author": release.author,
        }
        if now and now.number == number:
            found |= {"status": "deploying", "step": now.step}
    subject = api.repository.subject(app, found["commit"]) if found["commit"] else ""
    return found | {"subject": subject, "output": os.path.isfile(output_path(app, number))}


def _whose(release) -> str:
    earlier = (one for one in api.kernel.newest_releases(release.app) if one.number < release.number)
    source = next((one for one in earlier if is_build(one) and one.image == release.image), None)
    return f": it runs the build of {source.name}" if source else ""


def output_path(app: str, number: int) -> str:
    """Where the output of a build and its deploy is kept."""
    return f"{api.paths.output(app)}/v{number}.log"


def newest(app: str) -> int:
    """The number of the running build, else of the newest one. Raises errors.NotFound."""
    now = api.kernel.underway(app)
    if now and now.building:
        return now.number
    found = next((release.number for release in api.kernel.newest_releases(app) if is_build(release)), 0)
    if not found:
        raise api.errors.NotFound(f"{app} has no build yet", f"git push paas@<host>:{app} main")
    return found


def sizes_of(images: list[str]) -> dict[str, int]:
    """Image ID -> bytes, of those that docker has; empty if it does not answer."""
    if not images:
        return {}
    from plugins.builds import docker

    answer = docker.run("image", "inspect", "--format", "{{.Id}} {{.Size}}", "--", *sorted(set(images)))
    pairs = (line.split() for line in answer.stdout.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}

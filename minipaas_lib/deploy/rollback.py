"""Go back to what a former release was: a new release with its build, its config, or all of it."""

from collections.abc import Callable

from minipaas_lib import errors, output
from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import change, compose, preview
from minipaas_lib.journal import cancellation, locks
from minipaas_lib.model.app import IDENTITY_KEYS
from minipaas_lib.model.release import FAILED, RELEASED, Release
from minipaas_lib.records import releases

IMAGE = "image"
CONFIG = "config"


def roll_back(name: str, number: int | None = None, only: str = "", everything: bool = False) -> Release:
    """Make a new release of the build and config of release `number`, or of the one that was live before.

    only: "image" or "config" leaves the other as it is; `everything` takes formation, domains and all settings back
    too. What is taken back stands in the app's document then, so the next push keeps it. Where the image has gone, its
    commit is built again. Raises errors.UsageError where there is nothing to go back to or nothing would differ,
    errors.NotFound, and what a rollout raises.
    """
    with locks.app_lock(name), cancellation.cancellable():
        live, target = chosen(name, number)
        reason, edit, build_of = meant(target, live, only, everything)
        if build_of.image != live.image and must_build(build_of):
            from minipaas_lib.deploy import receive

            output.step(f"The image of {target.name} is gone, so its commit is built again")
            return receive.deploy_commit(name, build_of.commit, reason, force=True, edit=edit)
        warn_of_others(name, target, edit, only)
        release = change.change_locked(name, reason, edit, True, False, build_of)
        if release is None:
            raise nothing_differs(target, live, everything)
        return release


def plan(name: str, number: int | None = None, only: str = "", everything: bool = False) -> "preview.Preview":
    """What roll_back would do. Raises as it does; nothing is changed."""
    live, target = chosen(name, number)
    reason, edit, build_of = meant(target, live, only, everything)
    commit = build_of.commit if build_of.image != live.image and must_build(build_of) else ""
    found = preview.preview(name, reason, edit, build_of=build_of, builds=commit)
    if found.release is None:
        raise nothing_differs(target, live, everything)
    return found


def chosen(name: str, number: int | None) -> tuple[Release, Release]:
    """The live release, and the one to go back to."""
    live = releases.live(name)
    if live is None:
        raise errors.UsageError(f"{name} has never been deployed", f"git push paas@<host>:{name} main")
    target = releases.before(name, live.number) if number is None else releases.load(name, number)
    if target is None:
        raise errors.UsageError(f"nothing was live before {live.name} of {name}", f"releases {name}")
    if target.number == live.number:
        raise errors.UsageError(f"{target.name} of {name} is already live", f"releases {name}")
    if target.status != RELEASED:
        what = "failed" if target.status == FAILED else "was never live"
        said = f"{target.name} of {name} {what}, so it cannot be rolled back to"
        raise errors.UsageError(said, f"releases {name}")
    return live, target


def meant(target: Release, live: Release, only: str, everything: bool) -> tuple[str, Callable, Release]:
    """The reason, the edit of the app's document, and the release whose build is taken."""
    if not target.key and only != IMAGE:
        raise errors.UsageError(
            f"{target.name} was made by an older minipaas, which did not keep the app's own config with it",
            f"releases:rollback {target.app} {target.name} --only image",
        )
    part = " with formation and domains" if everything else f" ({only} only)" if only else ""

    def edit(document) -> None:
        document.pop("stopped", None)  # like a push it starts the app
        if everything:
            for table in [key for key in document if key not in IDENTITY_KEYS and key not in target.wishes]:
                del document[table]
        wanted = target.wishes if everything else {"config": target.wishes.get("config", {})}
        if only != IMAGE:
            for table, value in wanted.items():
                if document.get(table) != value and (value or table in document):
                    document[table] = value

    return f"rollback to {target.name}{part}", edit, live if only == CONFIG else target


def must_build(target: Release) -> bool:
    """Whether the image has gone. Raises errors.NotFound where its commit has gone too."""
    if active_engines.scheduler().has_image(target.image):
        return False
    from minipaas_lib.git import repository

    if not repository.has_commit(target.app, target.commit):
        which = f" {target.commit[:8]}" if target.commit else ""
        raise errors.NotFound(
            f"both the image and the commit of {target.name} of {target.app} are gone",
            f"push the commit{which} again, or choose another release: releases {target.app}",
        )
    return True


def warn_of_others(name: str, target: Release, edit: Callable, only: str) -> None:
    """Say which variables are not what they were at `target`, because not the app but others say them."""
    if only == IMAGE:
        return
    from minipaas_lib.model import difference
    from minipaas_lib.records import apps

    app = change.edited(apps.load(name), edit)
    now = compose.environment(app, target.build, target.commit)
    found = difference.names(target.config, now)
    if found:
        output.info(f"not from the app's own config, so they stay as they are now: {found.words()}")


def nothing_differs(target: Release, live: Release, everything: bool) -> errors.UsageError:
    """The error for a rollback that would change nothing."""
    if everything:
        return errors.UsageError(f"{live.name} runs exactly what {target.name} ran", f"releases {live.app}")
    return errors.UsageError(
        f"image and config of {target.name} are those of {live.name}, so nothing would change",
        f"to take formation and domains back too: releases:rollback {live.app} {target.name} --all",
    )

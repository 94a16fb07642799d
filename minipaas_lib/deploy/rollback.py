"""Roll back: make a new release with the build, the config or everything of a former one."""

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
    """Make a new release of the build and config of release `number`, by default the one that was live before.

    only: "image" or "config" leaves the other unchanged; `everything` restores formation, domains and all settings
    too. What is restored is written to the app's document, so the next push keeps it. If the image has gone, its commit
    is built again. Raises errors.UsageError if there is nothing to roll back to or nothing would differ,
    errors.NotFound, and what a rollout raises.
    """
    with locks.app_lock(name), cancellation.cancellable():
        live, target = chosen(name, number)
        reason, edit, build_of = change_of(target, live, only, everything)
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
    """Preview roll_back without changing anything. Raises as it does."""
    live, target = chosen(name, number)
    reason, edit, build_of = change_of(target, live, only, everything)
    commit = build_of.commit if build_of.image != live.image and must_build(build_of) else ""
    result = preview.preview(name, reason, edit, build_of=build_of, builds=commit)
    if result.release is None:
        raise nothing_differs(target, live, everything)
    return result


def chosen(name: str, number: int | None) -> tuple[Release, Release]:
    """The live release, and the one to roll back to."""
    live = releases.live(name)
    if live is None:
        raise errors.UsageError(f"{name} has never been deployed", f"git push paas@<host>:{name} main")
    target = releases.before(name, live.number) if number is None else releases.load(name, number)
    if target is None:
        raise errors.UsageError(f"nothing was live before {live.name} of {name}", f"releases {name}")
    if target.number == live.number:
        raise errors.UsageError(f"{target.name} of {name} is already live", f"releases {name}")
    if target.status != RELEASED:
        state = "failed" if target.status == FAILED else "was never live"
        message = f"{target.name} of {name} {state}, so it cannot be rolled back to"
        raise errors.UsageError(message, f"releases {name}")
    return live, target


def change_of(target: Release, live: Release, only: str, everything: bool) -> tuple[str, Callable, Release]:
    """The reason, the edit of the app's document, and the release whose build is used."""
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
        tables = target.wishes if everything else {"config": target.wishes.get("config", {})}
        if only != IMAGE:
            for table, value in tables.items():
                if document.get(table) != value and (value or table in document):
                    document[table] = value

    return f"rollback to {target.name}{part}", edit, live if only == CONFIG else target


def must_build(target: Release) -> bool:
    """Whether the image has gone. Raises errors.NotFound if its commit has gone too."""
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
    """Tell which variables differ from those of `target` because they are not from the app's own config."""
    if only == IMAGE:
        return
    from minipaas_lib.model import difference
    from minipaas_lib.records import apps

    app = change.edited(apps.load(name), edit)
    now = compose.environment(app, target.build, target.commit)
    changed = difference.names(target.config, now)
    if changed:
        output.info(f"not from the app's own config, so they stay as they are now: {changed.words()}")


def nothing_differs(target: Release, live: Release, everything: bool) -> errors.UsageError:
    """The error for a rollback that would change nothing."""
    if everything:
        return errors.UsageError(f"{live.name} runs exactly what {target.name} ran", f"releases {live.app}")
    return errors.UsageError(
        f"image and config of {target.name} are those of {live.name}, so nothing would change",
        f"to take formation and domains back too: releases:rollback {live.app} {target.name} --all",
    )

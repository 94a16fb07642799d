"""What git's pre-receive hook runs: one branch of a push is deployed, and all else that came with it is named."""

import functools
import time

from minipaas_lib import errors, output, paths
from minipaas_lib.deploy import receive
from minipaas_lib.git import first_repository, ref_updates, repository, repository_in_use
from minipaas_lib.journal import cancellation, locks
from minipaas_lib.model.release import Release
from minipaas_lib.push import first_push, push_options
from minipaas_lib.records import releases

_MOVING = 5.0  # seconds within which git has surely moved a branch once its hook has ended
_NAMED = 3  # references of one kind that are named one by one


def pre_receive(name: str, text: str, branches: list[str]) -> Release | None:
    """Deploy what a push brings; `text` is git's standard input to the hook, `branches` those that deploy.

    Raises errors.MinipaasError, and then the push is refused.
    """
    push_options.obey(push_options.given())
    first = first_repository.repository_of(name)
    folder = first or paths.repository(name)
    repository_in_use.forget_refused(folder)
    is_live = _looks_live(name, folder)
    push = ref_updates.sort_updates(
        ref_updates.parse_updates(text), branches, name, repository.head_branch_of(folder), bool(first), is_live
    )
    if push.refused:
        repository.create_at(folder)  # with the hook that refuses them
        repository_in_use.note_refused(folder, [refusal.update.ref for refusal in push.refused])
    release = None
    if push.deploy:
        release = _deploy(name, push.deploy, push.kept, bool(first))
    else:
        _only_keep(name)
    _tell(push)
    return release


def _deploy(name: str, update: ref_updates.Update, kept: tuple[ref_updates.Update, ...], first: bool) -> Release:
    created = first and first_push.accept(name, update.new, update.branch)
    try:
        with locks.app_lock(name), cancellation.cancellable():
            if not first:
                _look_at_branch(name, update)
            release = receive.deploy_commit(name, update.new, "git push", branch=update.branch)
            if not first:
                repository.expect(name, update.ref, update.old)
    except BaseException as error:
        if created and (isinstance(error, errors.Cancelled) or not releases.numbers(name)):
            first_push.take_back(name)
        raise
    if first:  # git does it in a repository that goes away
        repository.set_refs(name, {update.ref: update.new for update in kept if not update.deletes})
    return release


def _look_at_branch(name: str, update: ref_updates.Update) -> None:
    """Refuse what does not go on from where the branch is now.

    Another push may have moved it since git told the client. Raises errors.Conflict. git itself would find out after
    the deploy.
    """
    tip = repository.tip_of(name, update.ref)
    live = releases.live(name)
    if live and live.commit != tip and update.branch == repository.head_branch(name):
        deadline = time.monotonic() + _MOVING
        while (
            repository_in_use.written_by_others(paths.repository(name))
            and tip != live.commit
            and time.monotonic() < deadline
        ):
            time.sleep(0.02)  # the push before has just let go of the lock
            tip = repository.tip_of(name, update.ref)
    known = "" if not update.old.strip("0") else update.old
    if tip not in ("", known, update.new) and not repository.is_behind(name, tip, update.new):
        raise errors.Conflict(
            f"{update.branch} of {name} has moved to {tip[:10]} since this push began",
            f"git pull --rebase <remote> {update.branch}, then: git push <remote> {update.branch}",
        )


def _only_keep(name: str) -> None:
    """A push of tags of the live commit, or that removes what is not deployed: nothing to do but to be allowed to."""
    with locks.app_lock(name):
        output.step(f"Nothing in this push is deployed to {name}")


def _tell(push: ref_updates.Push) -> None:
    """Name what was pushed and is not deployed; git's own lines come after it."""
    tags = [ref_updates.short(update) for update in push.kept if update.tag and not update.deletes]
    if tags:
        more = f" and {len(tags) - _NAMED} more" if len(tags) > _NAMED else ""
        output.info(
            f"stored, not deployed: {'the tag' if len(tags) == 1 else 'the tags'} {', '.join(tags[:_NAMED])}{more}"
        )
    for refusal in push.refused[:_NAMED]:
        output.warn(refusal.message)
        output.hint(refusal.hint)
    if len(push.refused) > _NAMED:
        output.warn(f"and {len(push.refused) - _NAMED} more references are refused, as git reports below")
    if push.refused and push.deploy:
        output.warn(f"{push.deploy.branch} is deployed anyway")


def _looks_live(name: str, folder: str):
    """A function that tells whether an object is the live commit of the app, or an annotated tag of it."""

    @functools.cache  # a thousand tags may lead to the same commit
    def is_live(object_name: str) -> bool:
        live = releases.live(name)
        return live is not None and live.commit != "" and repository.commit_behind(folder, object_name) == live.commit

    return is_live

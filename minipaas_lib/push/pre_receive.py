"""git's pre-receive hook: deploy one branch of a push, and report what is not deployed."""

import functools
import time

from minipaas_lib import caller, errors, output, paths
from minipaas_lib.deploy import receive
from minipaas_lib.git import first_repository, ref_updates, repository, repository_in_use
from minipaas_lib.journal import cancellation, locks
from minipaas_lib.model.release import Release
from minipaas_lib.push import first_push, push_options
from minipaas_lib.records import releases

_MOVING = 5.0  # seconds within which git has certainly moved a branch after its hook has ended
_NAMED = 3  # references that are reported individually


def pre_receive(name: str, text: str, branches: list[str]) -> Release | None:
    """Deploy a push; `text` is git's input to the hook, `branches` those that deploy.

    Raises errors.MinipaasError to refuse the push.
    """
    caller.set_push()
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
        _accept_undeployed(name)
    _report(push)
    return release


def _deploy(name: str, update: ref_updates.Update, kept: tuple[ref_updates.Update, ...], first: bool) -> Release:
    created = first and first_push.accept(name, update.new, update.branch)
    try:
        with locks.app_lock(name), cancellation.cancellable():
            if not first:
                _check_branch(name, update)
            release = receive.deploy_commit(name, update.new, "git push", branch=update.branch)
            if not first:
                repository.expect(name, update.ref, update.old)
    except BaseException as error:
        if created and (isinstance(error, errors.Cancelled) or not releases.numbers(name)):
            first_push.take_back(name)
        raise
    if first:  # git does it only in the temporary repository
        repository.set_refs(name, {update.ref: update.new for update in kept if not update.deletes})
    return release


def _check_branch(name: str, update: ref_updates.Update) -> None:
    """Refuse an update that is not based on the branch's present commit. Raises errors.Conflict.

    Another push may have moved it since this one began, which git itself would only notice after the deploy.
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
            time.sleep(0.02)  # the previous push has just released the lock
            tip = repository.tip_of(name, update.ref)
    known = "" if not update.old.strip("0") else update.old
    if tip not in ("", known, update.new) and not repository.is_behind(name, tip, update.new):
        raise errors.Conflict(
            f"{update.branch} of {name} has moved to {tip[:10]} since this push began",
            f"git pull --rebase <remote> {update.branch}, then: git push <remote> {update.branch}",
        )


def _accept_undeployed(name: str) -> None:
    """Accept a push that only has tags of the live commit or deletes undeployed branches, if the app is not locked."""
    with locks.app_lock(name):
        output.step(f"Nothing in this push is deployed to {name}")


def _report(push: ref_updates.Push) -> None:
    """Report what was pushed but is not deployed; git's own lines follow."""
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
    """A function that returns whether an object is the live commit of the app, or an annotated tag of it."""

    @functools.cache  # a thousand tags may lead to the same commit
    def is_live(object_name: str) -> bool:
        live = releases.live(name)
        return live is not None and live.commit != "" and repository.commit_behind(folder, object_name) == live.commit

    return is_live

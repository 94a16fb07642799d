"""Which branch a push wants to deploy (githooks(5), pre-receive). Pure."""

import re
from typing import NamedTuple

from minipaas_lib import errors, names

_BRANCH = "refs/heads/"
_TAG = "refs/tags/"
_LINE_LIMIT = 1000  # characters; each `/` in a name is a folder


class Update(NamedTuple):
    """One line that git gives to a pre-receive hook. Object names are hex; all zeros: does not exist."""

    old: str
    new: str
    ref: str

    @property
    def branch(self) -> str:
        """The name of the branch, or an empty string where the ref is no branch."""
        return self.ref.removeprefix(_BRANCH) if self.ref.startswith(_BRANCH) else ""

    @property
    def deletes(self) -> bool:
        return not self.new.strip("0")


def parse_updates(text: str) -> list[Update]:
    """The updates in the stdin of a pre-receive hook. Raises errors.UsageError for what git would not write."""
    updates = []
    for line in text.split("\n"):
        if not line:
            continue
        found = re.fullmatch("([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([^ \x00-\x1f\x7f]+)", line)
        if len(line) > _LINE_LIMIT:
            raise errors.UsageError(f"the reference {names.safe(line[82:])} has a name that is too long", "give it a shorter name")
        if not found:
            raise errors.UsageError(
                f"this is not what git tells a pre-receive hook: {names.safe(line)}", "use: git push"
            )
        updates.append(Update(*found.groups()))
    return updates


def choose_update(updates: list[Update], branches: list[str], app: str, new: bool = False) -> Update:
    """The one update to deploy: the only branch of the push, if it is one of `branches`. Tags beside it are fine.

    new: bool, whether there is no such app yet. Raises errors.MinipaasError with what to type instead; the push is then refused as a whole.
    """
    pushed = [update for update in updates if update.branch]
    deploy = branches[0]
    for update in updates:
        if not update.ref.startswith((_BRANCH, _TAG)):
            raise errors.MinipaasError(
                f"{names.safe(update.ref)} is not a branch, and {app} deploys branches", f"git push <remote> {deploy}"
            )
    if len(pushed) > 1:
        raise errors.MinipaasError(
            f"{len(pushed)} branches were pushed ({_listed(pushed)}), and {app} deploys one at a time",
            f"git push <remote> {deploy}",
        )
    if not pushed:
        what = f"the tag {names.safe(updates[0].ref[len(_TAG) :])}" if updates else "nothing"
        raise errors.MinipaasError(
            f"{what} was pushed, and {app} deploys only branches", f"git push <remote> {_source(updates)}:{deploy}"
        )
    return _deployable(pushed[0], branches, app, new)


def _deployable(update: Update, branches: list[str], app: str, new: bool) -> Update:
    shown = names.safe(update.branch)[1:-1]
    if update.deletes:
        raise errors.MinipaasError(
            f"the branch '{shown}' of {app} cannot be deleted by a push", f"ssh paas@<host> apps:destroy {app}"
        )
    if update.branch not in branches:
        create = f"apps:create {app}, then: ssh paas@<host> " if new else ""
        raise errors.MinipaasError(
            f"'{shown}' is not deployed by {app}: it deploys {' or '.join(branches)}",
            f"git push <remote> {shown}:{branches[0]}, or: ssh paas@<host> {create}git:set {app} deploy-branch {shown}",
        )
    return update


def _listed(pushed: list[Update]) -> str:
    shown = ", ".join(names.safe(update.branch)[1:-1] for update in pushed[:3])
    return shown + (", ..." if len(pushed) > 3 else "")


def _source(updates: list[Update]) -> str:
    """What to write left of the colon: the commit behind a pushed tag, else the current commit."""
    if updates and not updates[0].deletes and re.fullmatch("[A-Za-z0-9._/-]+", updates[0].ref):
        return updates[0].ref.removeprefix(_TAG) + "^{commit}"
    return "HEAD"

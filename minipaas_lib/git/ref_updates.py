"""Decide about each reference of a push: one branch is deployed (githooks(5), pre-receive). Pure."""

import re
from collections.abc import Callable
from typing import NamedTuple

from minipaas_lib import errors, names

_BRANCH = "refs/heads/"
_TAG = "refs/tags/"
_REFUSED_LIMIT = 2000  # references refused individually: git runs a hook for each
_LINE_LIMIT = 1000  # characters; each `/` in a name is a folder


class Update(NamedTuple):
    """One line that git gives to a pre-receive hook. Object names are hex; all zeros: does not exist."""

    old: str
    new: str
    ref: str

    @property
    def branch(self) -> str:
        """The name of the branch; empty if the ref is not a branch."""
        return self.ref.removeprefix(_BRANCH) if self.ref.startswith(_BRANCH) else ""

    @property
    def tag(self) -> str:
        """The name of the tag; empty if the ref is not a tag."""
        return self.ref.removeprefix(_TAG) if self.ref.startswith(_TAG) else ""

    @property
    def deletes(self) -> bool:
        return not self.new.strip("0")


class Refusal(NamedTuple):
    """A reference that is refused, and why."""

    update: Update
    message: str
    hint: str


class Push(NamedTuple):
    """The decision about the updates of a push."""

    deploy: Update | None  # None: nothing is deployed, which is fine
    kept: tuple[Update, ...] = ()  # done by git, without a deploy
    refused: tuple[Refusal, ...] = ()  # individually, without failing the push


def parse_updates(text: str) -> list[Update]:
    """The updates in the stdin of a pre-receive hook. Raises errors.UsageError for input that is not git's."""
    updates = []
    for line in text.split("\n"):
        if not line:
            continue
        match = re.fullmatch("([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([^ \x00-\x1f\x7f]+)", line)
        if len(line) > _LINE_LIMIT:
            raise errors.UsageError(
                f"the reference {names.safe(line[82:])} has a name that is too long", "give it a shorter name"
            )
        if not match:
            raise errors.UsageError(
                f"this is not what git sends to a pre-receive hook: {names.safe(line)}", "use: git push"
            )
        updates.append(Update(*match.groups()))
    return updates


def sort_updates(
    updates: list[Update],
    branches: list[str],
    app: str,
    head: str = "",
    new: bool = False,
    is_live: Callable[[str], bool] = lambda name: False,
) -> Push:
    """Choose the branch to deploy; tags are kept, other branches and references refused individually.

    branches: list[str], those that deploy, the recommended one first; head: str, the branch that a clone checks out;
    new: bool, whether the app does not exist yet; is_live: whether an object is the live commit or a tag of it.
    Raises errors.MinipaasError with what to type instead if the whole push is refused because it would deploy nothing:
    a push that succeeds is deployed, or changes nothing that could be.
    """
    deploy = _chosen([update for update in updates if update.branch in branches and not update.deletes], branches, head)
    kept, refused = [], []
    for update in updates:
        if update is not deploy:
            refusal = _refusal(update, deploy, branches, app, head, new)
            if refusal:
                refused.append(refusal)
            else:
                kept.append(update)
    if deploy is None:
        _refuse_push(kept, refused, branches, app, is_live)
    elif len(refused) > _REFUSED_LIMIT:
        raise errors.MinipaasError(
            f"{len(refused):,} references were pushed that {app} does not deploy; at most {_REFUSED_LIMIT:,} are "
            "refused one by one",
            f"git push <remote> {deploy.branch}",
        )
    return Push(deploy, tuple(kept), tuple(refused))


def _chosen(candidates: list[Update], branches: list[str], head: str) -> Update | None:
    """Of several branches that deploy, the one that a clone checks out, else the first."""
    order = [head, *branches]
    return min(candidates, key=lambda update: order.index(update.branch), default=None)


def _refusal(
    update: Update, deploy: Update | None, branches: list[str], app: str, head: str, new: bool
) -> Refusal | None:
    """Why an update is refused; None if it is allowed."""
    first = branches[0]
    if update.tag:
        return None
    if not update.branch:
        return Refusal(
            update,
            f"{names.safe(update.ref)} is not a branch, and {app} deploys branches",
            f"git push <remote> {first}",
        )
    shown = names.safe(update.branch)[1:-1]
    if update.deletes:
        if update.branch in branches or (update.branch == head and deploy is None):
            return Refusal(
                update,
                f"the branch '{shown}' of {app} cannot be deleted by a push",
                f"ssh paas@<host> apps:destroy {app}",
            )
        return None
    if update.branch not in branches:
        create = f"apps:create {app}, then: ssh paas@<host> " if new else ""
        return Refusal(
            update,
            f"'{shown}' is not deployed by {app}: it deploys {' or '.join(branches)}",
            f"git push <remote> {shown}:{first}, or: ssh paas@<host> {create}git:set {app} deploy-branch {shown}",
        )
    if deploy is None or update.new == deploy.new:
        return None
    return Refusal(
        update,
        f"'{shown}' is not deployed together with '{deploy.branch}': {app} deploys one branch at a time",
        f"git push <remote> {shown}",
    )


def _refuse_push(
    kept: list[Update], refused: list[Refusal], branches: list[str], app: str, is_live: Callable[[str], bool]
) -> None:
    """Raise errors.MinipaasError for a push that should deploy something and does not."""
    deploy = branches[0]
    if len(refused) == 1:
        raise errors.MinipaasError(refused[0].message, refused[0].hint)
    if refused:
        shown = _listed([refusal.update for refusal in refused])
        raise errors.MinipaasError(
            f"{len(refused)} references were pushed ({shown}), and {app} deploys {' or '.join(branches)}",
            f"git push <remote> {deploy}",
        )
    if not kept:
        raise errors.MinipaasError(
            f"nothing was pushed, and {app} deploys only branches", f"git push <remote> HEAD:{deploy}"
        )
    for update in kept:
        if not update.deletes and not is_live(update.new):
            raise errors.MinipaasError(
                f"the tag {names.safe(update.tag)} was pushed, and {app} deploys only branches",
                f"git push <remote> {_source(update)}:{deploy}",
            )


def _listed(updates: list[Update]) -> str:
    shown = ", ".join(short(update) for update in updates[:3])
    return shown + (", ..." if len(updates) > 3 else "")


def short(update: Update) -> str:
    """The name of a branch or tag, or the full name of another reference, printable."""
    return names.safe(update.branch or update.tag or update.ref)[1:-1]


def _source(update: Update) -> str:
    """The source of a refspec: the commit of a pushed tag, else the current commit."""
    return update.tag + "^{commit}" if re.fullmatch("[A-Za-z0-9._/-]+", update.tag) else "HEAD"

"""What can be set of git: the table [git] of an app's document, and the limits of the platform."""

import os
import re

from minipaas_lib import api

TABLE = "git"
DEPLOY_BRANCHES = ["main", "master"]
REV_VARIABLE = "GIT_REV"
LIMITS = "limits"  # the platform's table that the pipeline reads
EVERYWHERE = {"max-entries": "entries", "max-size": "size"}  # what is set -> its key in that table
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def deploy_branches(app: "api.App") -> list[str]:
    """The branches of which a push is deployed, the one to recommend first."""
    chosen = app.table(TABLE).get("deploy-branch")
    return [chosen] if chosen else list(DEPLOY_BRANCHES)


def branch_of(app: "api.App") -> str:
    """The branch for deploys that are not pushes: the one that a clone checks out, if it deploys."""
    branches = deploy_branches(app)
    head = api.repository.head_branch(app.name)
    return head if head in branches and api.repository.head_commit(app.name, [head]) else branches[0]


def rev_variable(app: "api.App") -> str:
    """The name under which the app finds its commit in its environment; an empty string: under none."""
    return app.table(TABLE).get("rev-env-var", REV_VARIABLE)


def branch_name(text: str) -> str:
    """The name of a branch, unchanged (git-check-ref-format(1), narrowed). Raises errors.UsageError."""
    good = re.fullmatch("[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,199}", text)
    bad = (".." in text, "//" in text, "/." in text, "@{" in text, text.endswith(("/", ".", ".lock")), ".lock/" in text)
    if not good or any(bad) or text == "HEAD" or text.startswith("refs/"):
        raise api.errors.UsageError(
            f"{api.names.safe(text)} cannot be the name of a branch", "give a branch such as: main"
        )
    return text


def check_beside(branch: str, others: list[str]) -> None:
    """Raises errors.UsageError if git could not make the branch: `main` is a file where `main/x` needs a folder."""
    for other in others if branch else ():
        if branch.startswith(other + "/") or other.startswith(branch + "/"):
            raise api.errors.UsageError(
                f"git cannot have a branch {branch} beside the branch {other}", "give the branch another name"
            )


def limit(key: str, text: str) -> int:
    """The value of max-entries or max-size, in entries or bytes. Raises errors.UsageError."""
    known = EVERYWHERE.get(key)
    if known is None:
        raise api.errors.UsageError(
            f"there is no {api.names.safe(key)} to set for all apps", "one of: " + ", ".join(EVERYWHERE)
        )
    found = re.fullmatch("([0-9]{1,12})([kmgt]?)b?" if known == "size" else "([0-9]{1,9})()", text.lower())
    value = int(found[1]) * _UNITS[found[2]] if found else 0
    if not value:
        kind = "a size such as 500m or 2g" if known == "size" else "a number"
        raise api.errors.UsageError(f"{key} is {kind}, not {api.names.safe(text)}", f"git:set --global {key} <value>")
    return value


def renew_repositories() -> None:
    """Give the repositories that there are this version's hook and config, and the limits of now.

    Raises errors.MinipaasError if that failed for some, and is done for all others.
    """

    def renew(name):
        if os.path.isdir(api.paths.repository(name)):
            api.repository.create(name)

    api.of_each_app(renew)

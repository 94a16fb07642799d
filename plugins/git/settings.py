"""What can be set of git; the table [git] of an app's document."""

import re

from minipaas_lib import api

TABLE = "git"
DEPLOY_BRANCHES = ["main", "master"]
REV_VARIABLE = "GIT_REV"


def deploy_branches(app: "api.App") -> list[str]:
    """The branches of which a push is deployed, the one to recommend first."""
    chosen = app.table(TABLE).get("deploy-branch")
    return [chosen] if chosen else list(DEPLOY_BRANCHES)


def rev_variable(app: "api.App") -> str:
    """The name under which the app finds its commit in its environment; an empty string: under none."""
    return app.table(TABLE).get("rev-env-var", REV_VARIABLE)


def branch_name(text: str) -> str:
    """The name of a branch, unchanged (git-check-ref-format(1), narrowed). Raises errors.UsageError."""
    good = re.fullmatch("[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,199}", text)
    bad = (".." in text, "//" in text, "/." in text, "@{" in text, text.endswith(("/", ".", ".lock")), ".lock/" in text)
    if not good or any(bad) or text == "HEAD" or text.startswith("refs/"):
        raise api.errors.UsageError(f"{api.names.safe(text)} cannot be the name of a branch", "give a branch such as: main")
    return text

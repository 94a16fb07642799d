"""Find the app's own template in a commit of its repository."""

import os
import re

from minipaas_lib import api
from plugins.router_nginx.template import SOURCE_LIMIT

NAME = "nginx.conf.j2"


def template_of(app: str, commit: str) -> str:
    """The text of nginx.conf.j2 at the top of the commit; empty if there is none.

    Raises errors.InvalidFile if it is too large or not text.
    """
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        return ""
    size = _git(app, "cat-file", "-s", f"{commit}:{NAME}")
    if size is None:
        return ""
    if int(size) > SOURCE_LIMIT:
        raise api.errors.InvalidFile(
            f"{NAME} has {int(size):,} bytes; the limit is {SOURCE_LIMIT:,}", "make it smaller"
        )
    content = _git(app, "cat-file", "blob", f"{commit}:{NAME}")
    try:
        return (content or b"").decode()
    except UnicodeDecodeError:
        raise api.errors.InvalidFile(f"{NAME} is not text in UTF-8", "save it as UTF-8") from None


def _git(app: str, *arguments: str) -> bytes | None:
    """The output of a git command on the app's repository; None when it fails."""
    import subprocess

    # In a git hook GIT_DIR and others would point elsewhere.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    argv = ["git", f"--git-dir={api.paths.repository(app)}", *arguments]
    done = subprocess.run(argv, env=clean, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return done.stdout if done.returncode == 0 else None

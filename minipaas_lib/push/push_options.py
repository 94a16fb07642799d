"""Push options: git push -o (git-push(1), githooks(5) of pre-receive)."""

import os
import re
from collections.abc import Mapping

from minipaas_lib import errors, names, output
from minipaas_lib.journal import held, locks

_SHOWN = 3  # unknown options


def given(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The options of the push whose hook this is, in order."""
    count = environment.get("GIT_PUSH_OPTION_COUNT", "0")
    number = int(count) if re.fullmatch("[0-9]{1,6}", count) else 0
    return [environment.get(f"GIT_PUSH_OPTION_{index}", "") for index in range(number)]


def obey(options: list[str]) -> None:
    """Apply push options; only warn of unknown ones, as git sends the same to all remotes (push.pushOption).

    Raises errors.UsageError for an invalid value.
    """
    strange = []
    for text in options:
        key, _, value = text.partition("=")
        if key == "wait":
            held.patience = _seconds(value) if "=" in text else float(locks.LONGEST)
        else:
            strange.append(names.safe(text[:100]))
    if strange:
        more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        output.warn(f"{', '.join(strange[:_SHOWN])}{more}: ignored, there is no such push option")
        output.info("the one there is: git push -o wait, or: git push -o wait=60")


def _seconds(text: str) -> float:
    if not re.fullmatch("[0-9]{1,6}([.][0-9]{1,6})?", text):
        raise errors.UsageError(
            f"the push option wait takes seconds, not {names.safe(text[:100])}", "git push -o wait=60"
        )
    return float(text)

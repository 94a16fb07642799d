"""What can be set of an app's processes; the table [ps] of its document. Pure."""

import re

from minipaas_lib import api

TABLE = "ps"
MOST = 100  # processes of one type
LONGEST_STOP = 86400  # seconds
POLICIES = "(always|unless-stopped|no|on-failure(:[1-9][0-9]{0,3})?)"


def restart_policy(text: str) -> str:
    """When a process that ended comes back. Raises errors.UsageError.

    `unless-stopped` is taken for `always`: an app that is stopped has no container that docker could start.
    """
    if not re.fullmatch(POLICIES, text):
        raise api.errors.UsageError(
            f"{api.names.safe(text)} is not a restart policy", "one of: always on-failure on-failure:5 no"
        )
    return text.replace("unless-stopped", "always")


def stop_timeout(text: str) -> int:
    """Seconds between SIGTERM and SIGKILL. Raises errors.UsageError."""
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= LONGEST_STOP:
        raise api.errors.UsageError(
            f"stop-timeout must be a number of seconds from 1 to {LONGEST_STOP}, not {api.names.safe(text)}",
            "ps:set <app> stop-timeout 60",
        )
    return int(text)


SETTINGS = {"restart-policy": restart_policy, "stop-timeout": stop_timeout}


def scale(pairs: tuple[str, ...]) -> dict[str, int]:
    """Process type -> count of pairs such as `web=2`. Raises errors.UsageError."""
    wanted: dict[str, int] = {}
    for pair in pairs:
        kind, sign, count = pair.partition("=")
        if not sign:
            raise api.errors.UsageError(f"{api.names.safe(pair)} is not type=count", "give pairs such as: web=2")
        api.names.process_type(kind)
        if not re.fullmatch("[0-9]{1,9}", count) or int(count) > MOST:
            raise api.errors.UsageError(
                f"{api.names.safe(count)} is not a number of {kind} processes: use 0 to {MOST}", f"try: {kind}=2"
            )
        if kind in wanted:
            raise api.errors.UsageError(f"{kind} is given twice", f"give {kind} once")
        wanted[kind] = int(count)
    return wanted


def formation(requested: dict[str, int], types: "list[str]") -> dict[str, int]:
    """Process type -> count as the next deploy starts them, for the live release's `types` or, without, those set."""
    counts = {
        process_type: requested.get(process_type, 1 if process_type == "web" else 0)
        for process_type in (types or ["web", *requested])
    }
    return dict(sorted(counts.items(), key=lambda item: (item[0] != "web", item[0])))

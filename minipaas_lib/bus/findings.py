"""The result of one of doctor's checks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    part: str  # "docker", "nginx", "app blog: route"
    ok: bool
    said: str  # what was found, in one sentence
    fix: str = ""  # the next thing to type if it is broken

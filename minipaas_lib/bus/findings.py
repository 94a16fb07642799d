"""What doctor says of one part."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    part: str  # "docker", "nginx", "app blog: route"
    ok: bool
    said: str  # what was seen, one sentence
    fix: str = ""  # the next thing to type, where it is broken

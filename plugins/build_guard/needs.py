"""What a build needs, what is free, and what is short. Pure."""

from typing import NamedTuple

SMALL_HOST = 2 << 30  # bytes of memory; builds on a host with less run under a cap
MARGIN = 1.25  # how much more than the last build took must be free
LEAST_CAP = 128 << 20  # bytes


class Free(NamedTuple):
    """What is free, or what a build took of it. Memory counts what the kernel can give back, and swap."""

    disk: int  # bytes where docker keeps images
    inodes: int  # there
    state: int  # bytes where our own state is
    memory: int  # bytes


FIRST_BUILD = Free(disk=500 << 20, inodes=5000, state=50 << 20, memory=96 << 20)
EDGE = Free(disk=200 << 20, inodes=2000, state=50 << 20, memory=64 << 20)  # what stays free in any build


def needed(last: Free | None, settings: dict[str, int]) -> Free:
    """What must be free: as set in `settings`, else what the last build took plus a margin, else a guess."""
    if last is None:
        need = FIRST_BUILD
    else:
        need = Free(*(int(took * MARGIN) + edge for took, edge in zip(last, EDGE, strict=True)))
    chosen = {measure.removeprefix("min-free-"): value for measure, value in settings.items()}
    return need._replace(**chosen)


def short_of(free: Free, need: Free) -> list[str]:
    """The names of what there is too little of, disk first."""
    return [name for name in Free._fields if getattr(free, name) < getattr(need, name)]


def took(before: Free, lowest: Free) -> Free:
    """What a build took at its peak."""
    return Free(*(max(0, free_before - free_lowest) for free_before, free_lowest in zip(before, lowest, strict=True)))


def lower(left: Free, right: Free) -> Free:
    return Free(*map(min, left, right))


def cap(total: int, available: int, setting: int | str) -> int:
    """Bytes of memory that builds may use together; 0 is no cap.

    total, available: bytes of the host's memory. "auto" leaves what runs now where it is, on a small host.
    """
    if isinstance(setting, int):
        return setting
    if setting == "off" or total >= SMALL_HOST:
        return 0
    return max(available - max(total // 10, 64 << 20), LEAST_CAP)

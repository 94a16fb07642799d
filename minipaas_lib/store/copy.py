"""Moving between stores: make one tree the same as another, whatever the backends.

A copy that was interrupted is taken up by the next one: a note in the target, there from before the first change until
both trees were compared, says that what is there is unfinished. Signs of life stay where they are.
"""

import contextlib
import time
from typing import NamedTuple

from minipaas_lib import errors
from minipaas_lib.store import documents, shared
from minipaas_lib.store.contract import ABSENT, Document, Store

NOTE = "copying.toml"
_ROUNDS = 5  # comparisons; each that finds a difference means that somebody wrote meanwhile

Documents = dict[str, Document]


class Copied(NamedTuple):
    """What one call of `copy` did."""

    written: int
    removed: int
    same: int  # documents that were there already


def copy(source: Store, target: Store, skip: tuple[str, ...] = (), origin: str = "", replace: bool = False) -> Copied:
    """Make the documents of `target` those of `source`, but for what is at or below the paths in `skip`.

    `origin` names the source, for who finds the note of an unfinished copy. Nothing is changed where both are the same.
    Raises errors.UsageError where `target` has other documents, unless `replace` or an unfinished copy of `origin` left
    them; errors.Conflict where somebody else keeps changing one of the two; and what the stores raise.
    """
    written = removed = 0
    first, there = _tree(source, skip), _tree(target, skip)
    differs = {path for path in first.keys() | there.keys() if not _equal(first.get(path), there.get(path))}
    same = len(first) - len(differs & first.keys())
    if not differs:
        _end(target)
        return Copied(0, 0, same)
    begun = unfinished(target)
    if not replace and (there if begun is None else begun != origin):
        some = ", ".join(sorted(there)[:3])
        raise errors.UsageError(
            f"there is already other state ({len(there)} documents: {some}, ...)", "look at it first"
        )
    _begin(target, origin)
    for _ in range(_ROUNDS):
        wanted, there = _tree(source, skip), _tree(target, skip)
        changed = [path for path in wanted if not _equal(wanted[path], there.get(path))]
        surplus = [path for path in there if path not in wanted]
        if not changed and not surplus:
            _end(target)
            return Copied(written, removed, same)
        for path in surplus:  # first, as a folder may be in the way of a document
            target.delete(path, there[path].revision)
        for path in changed:
            target.write(path, wanted[path].text, there[path].revision if path in there else ABSENT)
        written, removed = written + len(changed), removed + len(surplus)
    raise errors.Conflict("other commands kept changing the state while it was copied", "repeat the command")


def unfinished(store: Store) -> str | None:
    """The `origin` of a copy to `store` that was begun and not ended; None without one."""
    try:
        return str(documents.read(store, NOTE).get("origin", ""))
    except errors.NotFound:
        return None


def _tree(store: Store, skip: tuple[str, ...]) -> Documents:
    """The documents to be copied, by path."""
    found = store.read_all().documents
    return {path: found[path] for path in found if not (path == NOTE or shared.expires(path) or _is_in(path, skip))}


def _is_in(path: str, skip: tuple[str, ...]) -> bool:
    return any(path == each or path.startswith(each + "/") for each in skip)


def _equal(one: Document | None, other: Document | None) -> bool:
    return one is not None and other is not None and one.text == other.text


def _begin(target: Store, origin: str) -> None:
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    documents.write(target, NOTE, {"origin": origin, "began": began})


def _end(target: Store) -> None:
    with contextlib.suppress(errors.NotFound):
        target.delete(NOTE)

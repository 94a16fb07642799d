"""Copy one store's tree to another, whatever the backends.

An interrupted copy is resumed by the next one: a note in the target, written before the first change and removed once
both trees are equal, marks the copy as unfinished. Signs of life are not copied.
"""

import contextlib
import time
from typing import NamedTuple

from minipaas_lib import errors
from minipaas_lib.store import documents, shared
from minipaas_lib.store.contract import ABSENT, Document, Store

NOTE = "copying.toml"
_ROUNDS = 5  # comparisons; each that finds a difference means that somebody wrote in the meantime

Documents = dict[str, Document]


class Copied(NamedTuple):
    """What a call of `copy` did."""

    written: int
    removed: int
    same: int  # documents that were there already


def copy(source: Store, target: Store, skip: tuple[str, ...] = (), origin: str = "", replace: bool = False) -> Copied:
    """Make the documents of `target` equal to those of `source`, except at or below the paths in `skip`.

    `origin` names the source in the note of an unfinished copy. Nothing is changed where both are the same.
    Raises errors.UsageError if `target` has other documents, unless `replace` or an unfinished copy of `origin` left
    them; errors.Conflict if somebody else keeps changing one of the two; and what the stores raise.
    """
    written = removed = 0
    source_documents, target_documents = _tree(source, skip), _tree(target, skip)
    differs = {
        path
        for path in source_documents.keys() | target_documents.keys()
        if not _equal(source_documents.get(path), target_documents.get(path))
    }
    same = len(source_documents) - len(differs & source_documents.keys())
    if not differs:
        _end(target)
        return Copied(0, 0, same)
    pending = unfinished(target)
    if not replace and (target_documents if pending is None else pending != origin):
        examples = ", ".join(sorted(target_documents)[:3])
        raise errors.UsageError(
            f"there is already other state ({len(target_documents)} documents: {examples}, ...)", "look at it first"
        )
    _begin(target, origin)
    for _ in range(_ROUNDS):
        current, target_documents = _tree(source, skip), _tree(target, skip)
        changed = [path for path in current if not _equal(current[path], target_documents.get(path))]
        surplus = [path for path in target_documents if path not in current]
        if not changed and not surplus:
            _end(target)
            return Copied(written, removed, same)
        for path in surplus:  # first, as a folder may be in the way of a document
            target.delete(path, target_documents[path].revision)
        for path in changed:
            target.write(
                path, current[path].text, target_documents[path].revision if path in target_documents else ABSENT
            )
        written, removed = written + len(changed), removed + len(surplus)
    raise errors.Conflict("other commands kept changing the state while it was copied", "repeat the command")


def unfinished(store: Store) -> str | None:
    """The `origin` of an unfinished copy to `store`, or None."""
    try:
        return str(documents.read(store, NOTE).get("origin", ""))
    except errors.NotFound:
        return None


def _tree(store: Store, skip: tuple[str, ...]) -> Documents:
    """The documents to be copied, by path."""
    documents_by_path = store.read_all().documents
    return {
        path: documents_by_path[path]
        for path in documents_by_path
        if not (path == NOTE or shared.expires(path) or _is_in(path, skip))
    }


def _is_in(path: str, skip: tuple[str, ...]) -> bool:
    return any(path == each or path.startswith(each + "/") for each in skip)


def _equal(left: Document | None, right: Document | None) -> bool:
    return left is not None and right is not None and left.text == right.text


def _begin(target: Store, origin: str) -> None:
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    documents.write(target, NOTE, {"origin": origin, "began": began})


def _end(target: Store) -> None:
    with contextlib.suppress(errors.NotFound):
        target.delete(NOTE)

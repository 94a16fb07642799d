"""What a tree of files may hold that somebody sent, in a push or in an archive. Pure."""

import unicodedata
from dataclasses import dataclass

PATH_LIMIT = 4096  # bytes of a path, and of what a link says (limits.h, PATH_MAX)
NAME_LIMIT = 255  # bytes of one name in it (limits.h, NAME_MAX)
# What HFS+ ignores in a name, so that `.g<200c>it` is `.git` there (git's own list, utf8.c).
_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


@dataclass(frozen=True)
class Limits:
    """How large a tree may be; an admin sets them (git:set --global)."""

    entries: int = 100_000  # files, folders and links
    size: int = 2 << 30  # bytes of all files; of what a push or a download may bring, too


def path_fault(path: str) -> str:
    """What is wrong with a path inside a tree, such as "leads out of it"; empty where nothing is.

    path: with surrogates for bytes that are no UTF-8, without a slash at its end.
    """
    if not path:
        return "has no name"
    if path.startswith("/"):
        return "is an absolute path"
    if any(0xD800 <= ord(character) < 0xE000 for character in path):
        return "has a name that is not UTF-8"
    if any(unicodedata.category(character) == "Cc" for character in path):
        return "has a control character in its name"
    parts = path.split("/")
    if ".." in parts:
        return "leads out of the folder"
    if any(part in ("", ".") for part in parts):
        return "is not a plain path"
    if len(path.encode()) > PATH_LIMIT or any(len(part.encode()) > NAME_LIMIT for part in parts):
        return "has a name that is too long"
    return "is git's own folder" if any(is_dot_git(part) for part in parts) else ""


def is_dot_git(name: str) -> bool:
    """Whether a name is `.git` on some file system: in capitals, by its short name, or with what is not seen."""
    plain = name.translate(_IGNORED).casefold().split(":")[0].split("\\")[0].rstrip(" .")
    return plain in (".git", "git~1")


def link_fault(path: str, target: str) -> str:
    """What is wrong with a symbolic link at `path` that says `target`; empty where it stays inside.

    `..` may only come first, and not more often than `path` has folders. As no part of `path` is itself a link, such
    a link goes up through real folders alone, so that no chain of links can add up to a way out.
    """
    if path.rpartition("/")[2].casefold() in (".gitmodules", ".gitattributes"):
        return "is a link, and git reads it"
    if not target or "\0" in target or len(target.encode("utf-8", "surrogateescape")) > PATH_LIMIT:
        return "is a link to nowhere"
    if target.startswith("/"):
        return "is a link to an absolute path"
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    if ".." in parts[ups:]:
        return "is a link that goes down and up again"
    return "is a link that leads out of the folder" if ups > path.count("/") else ""

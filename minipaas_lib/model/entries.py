"""What a tree of files from a push or an archive may contain. Pure."""

from dataclasses import dataclass

DEPTH_LIMIT = 100  # parts of a path
PATH_LIMIT = 2048  # bytes of a path, so that with the folder it is unpacked to it stays below PATH_MAX (limits.h)
NAME_LIMIT = 255  # bytes of one name in it (limits.h, NAME_MAX)
LINK_LIMIT = 4095  # bytes of a symbolic link's target (symlink(2), PATH_MAX)
# What HFS+ ignores in a name, so that `.g<200c>it` is `.git` there (git's own list, utf8.c).
_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


@dataclass(frozen=True)
class Limits:
    """How large a tree may be; an admin sets them (git:set --global)."""

    entries: int = 100_000  # files, folders and links
    size: int = 2 << 30  # bytes of all files, and of a push or a download


def path_fault(path: str) -> str:
    """What is wrong with a path inside a tree, such as "leads out of the folder"; empty if nothing is.

    path: with surrogates for bytes that are not UTF-8, without a trailing slash. A name may contain any byte but NUL,
    as in git's own trees: escape it before printing (names.safe).
    """
    if not path:
        return "has no name"
    if path.startswith("/"):
        return "is an absolute path"
    if "\0" in path:
        return "has a NUL in its name"
    parts = path.split("/")
    if ".." in parts:
        return "leads out of the folder"
    if any(part in ("", ".") for part in parts):
        return "is not a plain path"
    if any(is_dot_git(part) for part in parts):
        return "is git's own folder"
    return size_fault(path)


def size_fault(path: str) -> str:
    """What is wrong with the length or depth of a path; empty if nothing is."""
    if path.count("/") >= DEPTH_LIMIT:
        return f"lies deeper than {DEPTH_LIMIT - 1} folders"
    if len(path) > PATH_LIMIT // 4 and _length(path) > PATH_LIMIT:
        return f"has a path of more than {PATH_LIMIT:,} bytes"
    if any(len(part) > NAME_LIMIT // 4 and _length(part) > NAME_LIMIT for part in path.split("/")):
        return f"has a name of more than {NAME_LIMIT} bytes"
    return ""


def is_dot_git(name: str) -> bool:
    """Whether some file system takes a name for `.git`: in capitals, as a short name, with ignored characters."""
    plain = name.translate(_IGNORED).casefold().split(":")[0].split("\\")[0].rstrip(" .")
    return plain in (".git", "git~1")


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def link_fault(path: str, size: int) -> str:
    """What is wrong with a symbolic link at `path` whose target has `size` bytes; empty if nothing is.

    Its target does not matter: this host follows no link of a tree (untrusted_files, folders), and builders copy it as
    a link, to be resolved inside the image.
    """
    if path.rpartition("/")[2].casefold() == ".gitmodules":
        return "is a link, and git reads it"
    if size == 0:
        return "is a link to nowhere"
    return f"is a link to a path of more than {LINK_LIMIT:,} bytes" if size > LINK_LIMIT else ""

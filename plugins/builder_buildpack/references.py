"""References to buildpacks: a built-in one, a git URL, or a folder of this host. Pure."""

import re
from typing import NamedTuple

from minipaas_lib import api

OURS = ("node", "procfile", "python", "static")
FILE_LIMIT = 64 * 1024  # bytes of a .buildpacks file
MOST = 20  # buildpacks of one app
_HINT = "give one such as: python, heroku/nodejs, or https://github.com/heroku/heroku-buildpack-go.git#v180"
_HTTPS = r"https://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/[A-Za-z0-9._~%+/=,@-]+"
_REF = "[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}"


class Reference(NamedTuple):
    """A buildpack as somebody named it. `text` is the one way to write it, which lists and pins use."""

    kind: str  # "ours", "git" (a URL) or "path" (a folder of this host)
    place: str  # the name, URL or path
    ref: str = ""  # branch, tag or commit; "" is what a clone checks out

    @property
    def text(self) -> str:
        return self.place + ("#" + self.ref if self.ref else "")


def parse(text: str) -> Reference:
    """The buildpack that `text` names. Raises errors.UsageError.

    `owner/name` is Heroku's short form of https://github.com/owner/heroku-buildpack-name.git.
    """
    if text in OURS:
        return Reference("ours", text)
    if len(text) > 1000:
        raise _wrong(text, "is too long")
    place, hash_, ref = text.partition("#")
    if hash_ and (not re.fullmatch(_REF, ref) or ".." in ref):
        raise _wrong(text, "has no branch, tag or commit after the #")
    place = place.removeprefix("file://") if place.startswith("file:///") else place
    if place.startswith("/"):
        return Reference("path", _path(text, place), ref)
    if re.fullmatch(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", place) and place.rpartition("/")[2].strip("."):
        owner, _, name = place.partition("/")
        return Reference("git", f"https://github.com/{owner}/heroku-buildpack-{name}.git", ref)
    if re.match(r"https?://[^/]*@", place):
        raise api.errors.UsageError("a buildpack's URL must not contain a password: everybody could read it", _HINT)
    if re.fullmatch(_HTTPS, place):
        return Reference("git", place, ref)
    raise _wrong(text, "names no buildpack: only https is fetched" if "://" in text else "names no buildpack")


def parse_file(data: bytes) -> list[Reference]:
    """The buildpacks of a .buildpacks file, one a line; `#` begins a comment line. Raises errors.InvalidFile."""
    if len(data) > FILE_LIMIT:
        raise api.errors.InvalidFile(".buildpacks is larger than 64 KiB", "keep one line for each buildpack")
    try:
        lines = re.split("\r\n|\n|\r", data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise api.errors.InvalidFile(".buildpacks is not valid UTF-8", "save the file as UTF-8") from None
    found = []
    for number, line in enumerate(lines, 1):
        line = line.strip(" \t")
        if not line or line.startswith("#"):
            continue
        try:
            found.append(parse(line))
        except api.errors.UsageError as error:
            said = f".buildpacks line {number}: {error.message}"
            raise api.errors.InvalidFile(said, f"{error.hint}; then commit and push again") from None
        if len(found) > MOST:
            raise api.errors.InvalidFile(f".buildpacks lists more than {MOST} buildpacks", "remove some of them")
    return found


def _path(text: str, place: str) -> str:
    parts = place[1:].rstrip("/").split("/")
    if not re.fullmatch(r"[^\x00-\x20\x7f]+", place) or any(part in ("", ".", "..") for part in parts):
        raise _wrong(text, "is not a folder's path")
    return "/" + "/".join(parts)


def _wrong(text: str, what: str) -> "api.errors.UsageError":
    return api.errors.UsageError(f"{api.names.safe(text)} {what}", _HINT)

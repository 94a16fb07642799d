"""The file of a commit that names the image to run in place of one to build."""

import re
from typing import NamedTuple

from minipaas_lib import api

PATH = ".minipaas-image.toml"
SIZE_LIMIT = 64 * 1024  # bytes
_HOST = r"(?=[^/]*[.:]|localhost/)[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-{1,9})[a-z0-9]+)*"
_REFERENCE = rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
_ID = "sha256:[0-9a-f]{64}"


class Mark(NamedTuple):
    """Which image a commit names."""

    image: str  # a reference, as one types it for docker
    id: str = ""  # its ID, "sha256:..."; empty if a person wrote the file and did not say
    digest: str = ""  # where a registry gives just this image: "name@sha256:..."


def reference(text: str) -> str:
    """The reference of an image, unchanged (docker's grammar of references). Raises errors.UsageError."""
    if len(text) > 400 or not re.fullmatch(_REFERENCE, text):
        raise api.errors.UsageError(
            f"{api.names.safe(text)} does not name an image", "give one such as: ghcr.io/anna/blog:1.2"
        )
    return text


def parse(data: bytes) -> Mark:
    """What the file says. Raises errors.InvalidFile."""
    import tomllib

    try:
        about = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # also what int() says of a number of 5,000 digits
        raise api.errors.InvalidFile(
            f"{PATH} cannot be read: {api.output.tame(str(error))[:200]}", 'write: image = "name:tag"'
        ) from None
    found = {key: about.get(key, "") for key in Mark._fields}
    patterns = {"image": _REFERENCE, "id": f"({_ID})?", "digest": f"({_REFERENCE})?"}
    for key, pattern in patterns.items():
        if not isinstance(found[key], str) or len(found[key]) > 400 or not re.fullmatch(pattern, found[key]):
            raise api.errors.InvalidFile(
                f"{PATH}: {key} cannot be {api.names.safe(str(found[key]))}", 'write: image = "name:tag"'
            )
    return Mark(**found)


def text(mark: Mark) -> bytes:
    """The file's content. None of the values has anything to escape."""
    lines = [
        "# The image that this app runs, in place of one that is built. Written by git:from-image and git:load-image."
    ]
    return "\n".join([*lines, *(f'{key} = "{value}"' for key, value in mark._asdict().items() if value), ""]).encode()

"""The URLs of git repositories on other servers."""

import re

URL = r"(https?|git|ssh)://[^/\x00-\x20\x7f-][^\x00-\x20\x7f]*"
SCP_LIKE = r"([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//|:)[^\x00-\x20\x7f-][^\x00-\x20\x7f]*"


def without_password(url: str) -> str:
    """The url with its user and password hidden."""
    return re.sub("^([a-z+]+://)[^/]*@", r"\1***@", url)


def host_of(url: str) -> tuple[str, int]:
    """The host and port of a url; ("", 0) if it is not such a url."""
    if re.fullmatch(URL, url):
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(url)
            return parts.hostname or "", parts.port or {"https": 443, "http": 80, "ssh": 22, "git": 9418}[parts.scheme]
        except ValueError:
            return "", 0
    return (url.partition(":")[0].rpartition("@")[2], 22) if re.fullmatch(SCP_LIKE, url) else ("", 0)

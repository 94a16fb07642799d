"""What can be set of builds: the table [builder] of an app's document and of the platform's. Pure."""

import re

from minipaas_lib import api

TABLE = "builder"
URLS = ("http-proxy", "https-proxy", "pip-index-url", "npm-registry")
STORED = ("selected", "build-dir", *URLS, "no-proxy")
CA = "ca-file"  # kept in a document of its own (see authority.py)
PROPERTIES = (*STORED, CA)
VARIABLES = {
    # both spellings: curl reads http_proxy in lower case only, other programs the upper
    "http-proxy": ("HTTP_PROXY", "http_proxy"),
    "https-proxy": ("HTTPS_PROXY", "https_proxy"),
    "no-proxy": ("NO_PROXY", "no_proxy"),
    "pip-index-url": ("PIP_INDEX_URL",),
    "npm-registry": ("NPM_CONFIG_REGISTRY",),
}
_LIMIT = 2000  # characters
_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
_WORD = r"[A-Za-z0-9._~%!&()*+,;=-]"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_URL = rf"https?://(?:{_WORD}+(?::{_WORD}*)?@)?{_HOST}(?::[0-9]{{1,5}})?(?:/(?:{_WORD}|[:@/])*)?"
_EXCEPTION = r"[A-Za-z0-9.*:_/\[\]-]+"


def effective(app) -> dict[str, str]:
    """What holds for builds of an app (None: of any): its own over the platform's."""
    table = api.kernel.platform().get(TABLE, {}) | (app.table(TABLE) if app else {})
    return {key: value for key, value in table.items() if key in STORED and isinstance(value, str)}


def environment(table: dict[str, str]) -> dict[str, str]:
    """The variables that a build gets for these settings."""
    return {name: table[key] for key, names in VARIABLES.items() if key in table for name in names}


def parse(key: str, text: str, builders: list[str]) -> str:
    """The value of a property as it is stored. Raises errors.UsageError that repeats no password."""
    if key == "selected":
        return _builder(text, builders)
    if key == "build-dir":
        return _folder(text)
    if key == "no-proxy":
        hosts = [host.strip() for host in text.split(",")]
        if len(text) > _LIMIT or not all(re.fullmatch(_EXCEPTION, host) for host in hosts):
            said = f"{api.names.safe(text)} is not a list of hosts"
            raise api.errors.UsageError(said, "builder:set --global no-proxy localhost,.internal,10.0.0.0/8")
        return ",".join(hosts)
    if len(text) > _LIMIT or not re.fullmatch(_URL, text):
        what = "this" if "@" in text else api.names.safe(text)  # it may hold a password
        raise api.errors.UsageError(f"{what} is not an HTTP URL", f"builder:set --global {key} {_EXAMPLES[key]}")
    return text


_EXAMPLES = {
    "http-proxy": "http://proxy.example.org:3128",
    "https-proxy": "http://proxy.example.org:3128",
    "pip-index-url": "https://pypi.example.org/simple",
    "npm-registry": "https://npm.example.org/",
}


def masked(text: str) -> str:
    """A URL for display, without user and password: a token may be in either."""
    return re.sub(r"//[^/]*@", "//***@", text, count=1)


def known(key: str) -> str:
    """The name of a property, unchanged. Raises errors.UsageError."""
    if key not in PROPERTIES:
        raise api.errors.UsageError(f"there is no property {api.names.safe(key)}", "one of: " + ", ".join(PROPERTIES))
    return key


def _builder(text: str, builders: list[str]) -> str:
    if text in builders and re.fullmatch(_NAME, text):
        return text
    near = "one of: " + ", ".join(builders) if builders else "plugin:list"
    raise api.errors.UsageError(f"there is no builder {api.names.safe(text)}", near)


def _folder(text: str) -> str:
    """A folder of the repository, as `services/web`."""
    path = text[:-1] if text.endswith("/") else text
    plain = len(path) <= 255 and path.isprintable() and "\\" not in path
    if not plain or any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/")):
        said = f"{api.names.safe(text)} is not a folder inside the repository"
        raise api.errors.UsageError(said, "give a path such as: services/web")
    return path

"""The certificates that builds trust: given as a PEM file, kept in a document of their own.

They are large, and an app's document is copied into each of its releases.
"""

import re

from minipaas_lib import api

LIMIT = 512 * 1024  # bytes
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")


def path(app: str = "") -> str:
    return f"apps/{app}/build-ca.toml" if app else "build-ca.toml"


def read(app: str = "") -> str:
    """The certificates of an app, or without one the platform's; empty if none were set."""
    try:
        text = api.kernel.documents.read(api.kernel.store(), path(app)).get("pem", "")
    except api.errors.NotFound:
        return ""
    return text if isinstance(text, str) else ""


def effective(app) -> str:
    """What builds of an app (None: of any) trust: its own certificates, else the platform's."""
    return (read(app.name) if app else "") or read()


def write(pem: str, app: str = "") -> None:
    """Keep the certificates; empty removes them. Of an app under its lock."""
    if not pem:
        try:
            api.kernel.store().delete(path(app))
        except api.errors.NotFound:
            pass
        return
    api.kernel.documents.write(api.kernel.store(), path(app), {"pem": pem})


def parse(text: str) -> str:
    """The certificates of a PEM file, without surrounding text. Raises errors.UsageError.

    A private key is refused: it would reach every build.
    """
    if "PRIVATE KEY-----" in text:
        raise api.errors.UsageError(
            "this file contains a private key, which builds must not see", "give only the certificates"
        )
    blocks = [re.sub(r"\s+", "", block) for block in _BLOCK.findall(text)]
    hint = "give a file with -----BEGIN CERTIFICATE----- blocks"
    if not blocks:
        raise api.errors.UsageError("there is no certificate in this file", hint)
    pem = "".join(_wrapped(block) for block in blocks)
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise api.errors.UsageError("a certificate in this file is damaged", hint) from None
    return pem


def described(pem: str) -> str:
    """`2 certificates, sha256 1f0c…`, for a report."""
    if not pem:
        return ""
    import hashlib

    count = pem.count("-----BEGIN CERTIFICATE-----")
    return f"{count} certificate{'s' * (count > 1)}, sha256 {hashlib.sha256(pem.encode()).hexdigest()[:12]}"


def _wrapped(block: str) -> str:
    lines = [block[start : start + 64] for start in range(0, len(block), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])

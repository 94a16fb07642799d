"""The certificates by which heads and agents know each other: one authority, made for these two and then forgotten."""

import os

from minipaas_lib import api
from plugins.cluster.transport.protocol import AGENT, HEAD

DAYS = "3650"
LATE = 90 * 86400  # seconds before their end in which that is said
CA, CA_KEY, CONFIG = "ca.pem", "ca-key.pem", "openssl.cnf"  # files, while certificates are made
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


# What RFC 5280 asks of an authority and of what it signs; Python 3.13 and urllib3 2.8 refuse anything less. A file of
# ours, so that no openssl.cnf of the host adds to it.
_CONFIGURATION = """\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[agent]
subjectAltName = DNS:{agent}
extendedKeyUsage = serverAuth
[head]
subjectAltName = DNS:{head}
extendedKeyUsage = clientAuth
"""
_LEAF = """\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
"""


def make(folder: str) -> dict[str, dict[str, str]]:
    """New certificates as PEM texts: {"agent": {"ca", "cert", "key"}, "head": {...}}.

    `folder` is empty, and ours alone. The authority's key is removed at once, so that nothing else is ever signed with
    it. Its name is its own: openssl looks for who signed a certificate by name, and two of them are trusted while one
    follows the other. Raises errors.Unavailable.
    """
    import secrets

    ca, ca_key, config = (os.path.join(folder, file) for file in (CA, CA_KEY, CONFIG))
    text = _CONFIGURATION.format(agent=AGENT, head=HEAD).replace("[head]", _LEAF + "[head]") + _LEAF
    with open(config, "w", encoding="ascii") as file:
        file.write(text)
    subject = ("-subj", f"/CN=minipaas {secrets.token_hex(4)}", "-days", DAYS)
    made = ("-keyout", ca_key, "-out", ca)
    _openssl("req", "-x509", "-config", config, "-extensions", "authority", *_CURVE, *subject, *made)
    certificates = {part: _signed(folder, part, name) for part, name in (("agent", AGENT), ("head", HEAD))}
    os.unlink(ca_key)
    return certificates


def _signed(folder: str, part: str, name: str) -> dict[str, str]:
    """A certificate of that name, by the authority that is in the folder."""
    import secrets

    ca, ca_key, config = (os.path.join(folder, file) for file in (CA, CA_KEY, CONFIG))
    key, request, cert = (os.path.join(folder, f"{part}{end}") for end in ("-key.pem", ".csr", ".pem"))
    _openssl("req", "-new", "-config", config, *_CURVE, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    signer = ("-CA", ca, "-CAkey", ca_key, "-set_serial", f"0x{secrets.token_hex(16)}")
    extensions = ("-extfile", config, "-extensions", part)
    _openssl("x509", "-req", "-in", request, *signer, "-days", DAYS, *extensions, "-out", cert)
    return {"ca": _read(ca), "cert": _read(cert), "key": _read(key)}


def fault(pem: str) -> str:
    """What speaks for a new authority in the place of that one; empty where nothing does."""
    import subprocess

    command = ["openssl", "x509", "-noout", "-ext", "keyUsage", "-checkend", str(LATE)]
    try:
        done = subprocess.run(command, input=pem, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""  # what cannot be looked at is no fault of it
    if "Certificate Sign" not in done.stdout:
        return "newer programs refuse the cluster's certificates"
    return "" if done.returncode == 0 else f"the cluster's certificates expire within {LATE // 86400} days"


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _openssl(*words: str) -> None:
    try:
        api.kernel.programs.run("openssl", *words)
    except api.kernel.programs.Failed as error:
        raise api.errors.Unavailable(
            f"openssl cannot make certificates: {error.err.strip()[-300:]}",
            "check the version, at least 1.1.1: openssl version",
        ) from None

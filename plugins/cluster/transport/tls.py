"""How heads and agents shake hands: TLS 1.3 in which both sides show a certificate of the cluster's own authority."""

import ssl

from minipaas_lib import api
from plugins.cluster.transport import protocol


def server_context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """For who is asked; `ca`, `cert` and `key` are files. Raises OSError, ssl.SSLError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(ca)
    made.load_cert_chain(cert, key)
    return made


def client_context(keys: dict[str, str]) -> ssl.SSLContext:
    """For who asks; `keys` are PEM texts. Raises errors.BadConfig."""
    import tempfile

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        made.load_verify_locations(cadata=keys["ca"])
        with tempfile.NamedTemporaryFile("w", prefix="minipaas-") as file:  # ssl takes these from a file alone
            file.write(keys["cert"] + "\n" + keys["key"])
            file.flush()
            made.load_cert_chain(file.name)
    except (KeyError, OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise api.errors.BadConfig(
            f"the certificates of the cluster cannot be used: {error}", "cluster:status"
        ) from None
    return made


def is_head(certificate: dict | None) -> bool:
    """Whether the peer's certificate (ssl.SSLSocket.getpeercert) is a head's."""
    names = [value for kind, value in (certificate or {}).get("subjectAltName", ()) if kind == "DNS"]
    return protocol.HEAD in names

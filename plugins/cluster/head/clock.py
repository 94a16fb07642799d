"""How far another machine's clock is from ours, by the Date header of a server on it."""

import ssl
import time

from minipaas_lib import api

LIMIT = 10.0  # seconds that clocks may differ
TIMEOUT = 5.0  # seconds for an answer


def offset(url: str, tls: "ssl.SSLContext | None" = None) -> float | None:
    """Seconds by which the clock at `url` (http://host:port) is ahead of ours; None where it does not tell."""
    import email.utils
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port or 443, timeout=TIMEOUT, context=tls
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port or 80, timeout=TIMEOUT)
    try:
        asked = time.time()
        connection.request("GET", "/version")
        date = connection.getresponse().getheader("Date") or ""
        between = (asked + time.time()) / 2
        return email.utils.parsedate_to_datetime(date).timestamp() + 0.5 - between  # it counts whole seconds
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return None
    finally:
        connection.close()


def context(cluster: "api.kernel.cluster.ClusterSettings") -> "ssl.SSLContext | None":
    """How to speak TLS with etcd; None without https. Raises OSError for files that cannot be used."""
    if not any(url.startswith("https:") for url in cluster.etcd):
        return None
    made = ssl.create_default_context(cafile=cluster.ca or None)
    if cluster.cert:
        made.load_cert_chain(cluster.cert, cluster.key)
    return made

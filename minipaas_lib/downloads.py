"""Why something could not be fetched, from the output of pip, npm, git, curl, apt, docker, Java, Go."""

import re

NAME, CERTIFICATE, WAY = "name", "certificate", "way"
_FAULTS = (
    (
        NAME,
        r"name resolution|[Nn]ame or service not known|[Cc]ould not resolve|[Tt]emporary failure resolving|no such host"
        r"|EAI_AGAIN|ENOTFOUND|NameResolutionError|[Nn]o address associated|UnknownHostException|[Cc]annot resolve host"
        r"|server misbehaving|bad address '",
    ),
    (
        CERTIFICATE,
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|certificate verification failed|local issuer certificate"
        r"|[Ss]elf[- ]signed certificate|SELF_SIGNED_CERT"
        r"|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_VERIFY_LEAF|UNABLE_TO_GET_ISSUER"
        r"|x509: certificate|SSL certificate problem|PKIX path building|curl: \(60\)|issuer certificate is unknown"
        r"|[Cc]ertificate is (not|NOT) trusted|certificate has expired|not trusted by the system's CA",
    ),
    (
        WAY,
        (
            r"[Nn]etwork is unreachable|[Nn]o route to host|[Tt]imed out|[Cc]onnection refused|i/o timeout"
            r"|[Ff]ailed to connect to"
        ),
    ),
)


def fault(text: str) -> str:
    """NAME, CERTIFICATE or WAY, the first that the text mentions; empty for anything else."""
    return next((kind for kind, pattern in _FAULTS if re.search(pattern, text)), "")


def in_build(text: str, app: str) -> str:
    """The hint for a failed download in a build; empty if the text does not mention one.

    WAY has none: a connection that is refused or times out may be the app's own, to a database.
    """
    kind = fault(text)
    if kind == CERTIFICATE:
        return (
            "a server's certificate is not one that the build trusts; if it is your own, or a proxy of yours stands "
            f"between: ssh paas@<host> builder:set {app} ca-file - < ca.pem"
        )
    if kind == NAME:
        return f"the build cannot resolve that name: {_LOOK}; behind a proxy: builder:set {app} http-proxy <url>"
    return ""


def by_host(text: str) -> str:
    """The reason of a failed download of this host itself."""
    return {
        NAME: f"this host cannot resolve that name: {_LOOK}",
        CERTIFICATE: "this host does not trust that server's certificate; as root, put its authority's into "
        "/usr/local/share/ca-certificates/<name>.crt and type: update-ca-certificates",
        WAY: "nothing answers there, or a firewall is in between",
    }.get(fault(text), "")


def by_docker(text: str, server: str) -> str:
    """The reason of a failed pull from, or push to, a registry by docker."""
    return {
        NAME: f"this host cannot resolve {server}: {_LOOK}",
        CERTIFICATE: f"the certificate of {server} is not trusted by docker; as root, put its authority's into "
        f"/etc/docker/certs.d/{server}/ca.crt",
        WAY: f"nothing answers at {server}, or a firewall is in between",
    }.get(fault(text), "")


_LOOK = "check it and this host's DNS; on the host: getent hosts <name>"

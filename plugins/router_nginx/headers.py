"""Headers that tell an app about the request's origin: from what nginx sees, or from a proxy in front of it."""

import itertools

_ALWAYS = {
    "Host": "$minipaas_http_host",
    "X-Real-IP": "$remote_addr",
    "X-Request-Start": "t=${msec}",
    "Proxy": "",  # CGI makes HTTP_PROXY of it (httpoxy)
}
_SEEN = {
    "X-Forwarded-For": "$remote_addr",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-Port": "$server_port",
    "X-Forwarded-Host": "$minipaas_http_host",
}
_TOLD = {
    "X-Forwarded-For": "$minipaas_forwarded_for",
    "X-Forwarded-Proto": "$minipaas_proto",
    "X-Forwarded-Port": "$minipaas_port",
    "X-Forwarded-Host": "$minipaas_host",
}
# What proxies say beside these, and apps, frameworks and their middleware believe.
FOREIGN = (
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "CF-Visitor",
    "Client-IP",
    "Fastly-Client-IP",
    "Fastly-SSL",
    "Forwarded",
    "Forwarded-For",
    "Front-End-Https",
    "True-Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Forwarded",
    "X-Forwarded-Access-Token",
    "X-Forwarded-By",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Method",
    "X-Forwarded-Path",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Prefix",
    "X-Forwarded-Protocol",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Uri",
    "X-Forwarded-Url",
    "X-Forwarded-User",
    "X-Host",
    "X-HTTP-Host-Override",
    "X-Original-Forwarded-For",
    "X-Original-Host",
    "X-Original-Method",
    "X-Original-Proto",
    "X-Original-Remote-Addr",
    "X-Original-Scheme",
    "X-Original-URI",
    "X-Original-URL",
    "X-Proxyuser-Ip",
    "X-Real-Scheme",
    "X-Remote-Addr",
    "X-Remote-IP",
    "X-Rewrite-URL",
    "X-Scheme",
    "X-Sendfile-Type",
    "X-Accel-Mapping",
    "X-URL-Scheme",
)
# Of these too the form with `_` is dropped: CGI, WSGI and Rack take both for one.
_PLAIN = (
    "Content-Length",
    "Content-Type",
    "Path-Info",
    "Remote-User",
    "Script-Name",
    "Transfer-Encoding",
    "X-Request-Start",
)


def of_requests(trusted: bool) -> dict[str, str]:
    """The headers that every app gets: name to value. trusted: a proxy in front of this host is trusted."""
    return _ALWAYS | (_TOLD if trusted else _SEEN)


def variable(name: str) -> str:
    """The variable with a foreign header of a request if its sender is trusted; empty otherwise."""
    return "$minipaas_told_" + name.lower().replace("-", "_")


def with_underscores(names) -> list[str]:
    """All variants of these names with `_` for some of the `-`, without the names themselves."""
    found = []
    for name in names:
        words = name.split("-")
        for marks in itertools.product("-_", repeat=len(words) - 1):
            if "_" in marks:
                found.append("".join(itertools.chain(*zip(words, (*marks, ""), strict=True))))
    return found


def look_alikes() -> list[str]:
    """The variants with `_` of all headers that minipaas sets or passes, for hosts that allow `_` in headers."""
    return with_underscores([*_ALWAYS, *_SEEN, *FOREIGN, *_PLAIN])

"""Which nginx directives an app's own template may use.

The result of a template is trusted no more than the template: nginx reads its configuration as root. So the rule is a
list of what may be there. Nothing in it reads or writes a file of the host, loads code, reaches any address but the
app's own processes, takes a request that is not for the app's own domains and ports, or defines what other servers of
this nginx use.
"""

import re

from minipaas_lib import api
from plugins.router_nginx.syntax import Directive

_WORD = r"[^\x00-\x1f]{0,4096}"
_NUMBER = "[0-9]{1,7}"
_SIZE = "[0-9]{1,6}[kKmM]?"
_BUFFER = "[0-9]{1,6}|[0-9]{1,3}[kK]|1[mM]"  # of memory, for each request
_TIME = "[0-9]{1,6}(ms|s|m|h|d)?"
_SWITCH = "on|off"
# All servers of one nginx share the names of variables, and who defines one defines it for all: nothing of ours, and
# nothing that nginx makes of requests and answers.
_TAKEN = "minipaas_|(upstream_|sent_)?(http_|cookie_|trailer_)|arg_"
_VARIABLE = rf"\$(?!{_TAKEN})[a-z_][a-z0-9_]{{0,63}}"
_URI = r"[/@][^\x00-\x20]{0,1024}"
_HEADER = "[A-Za-z0-9_-]{1,128}"
_CIDR = r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?|all"
_RETRY = "error|timeout|invalid_header|http_50[0234]|http_40[34]|http_429|non_idempotent|off"

# For each context and directive: the patterns of its arguments. The last one repeats where it ends the tuple with "*".
_COMMON = {
    "access_log": ("off",),
    "add_header": (_HEADER, _WORD, "*always"),
    "allow": (_CIDR,),
    "deny": (_CIDR,),
    "satisfy": ("all|any",),
    "auth_request": (_URI + "|off",),
    "auth_request_set": (_VARIABLE, _WORD),
    "charset": ("[A-Za-z0-9_-]{1,40}",),
    "chunked_transfer_encoding": (_SWITCH,),
    "client_body_buffer_size": (_BUFFER,),
    "client_body_timeout": (_TIME,),
    "client_max_body_size": ("[0-9]{1,6}[kKmMgG]?",),
    "default_type": ("[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}",),
    "error_page": ("*([3-5][0-9]{2}|=[0-9]{0,3}|" + _URI + ")",),
    "etag": (_SWITCH,),
    "expires": (r"-?" + _TIME + "|epoch|max|off",),
    "gzip": (_SWITCH,),
    "gzip_comp_level": ("[1-9]",),
    "gzip_http_version": (r"1\.[01]",),
    "gzip_min_length": (_NUMBER,),
    "gzip_proxied": ("*[a-z_-]{1,20}",),
    "gzip_types": (r"*[a-z0-9.+*-]{1,64}(/[a-z0-9.+-]{1,64})?",),
    "gzip_vary": (_SWITCH,),
    "if_modified_since": ("off|exact|before",),
    "keepalive_requests": (_NUMBER,),
    "keepalive_timeout": (_TIME, "*" + _TIME),
    "limit_rate": (_SIZE,),
    "limit_rate_after": (_SIZE,),
    "proxy_buffer_size": (_BUFFER,),
    "proxy_buffering": (_SWITCH,),
    "proxy_buffers": ("[0-9]{1,2}", _BUFFER),
    "proxy_busy_buffers_size": (_BUFFER,),
    "proxy_connect_timeout": (_TIME,),
    "proxy_cookie_domain": (_WORD, "*" + _WORD),
    "proxy_cookie_flags": (_WORD, "*" + _WORD),
    "proxy_cookie_path": (_WORD, "*" + _WORD),
    "proxy_force_ranges": (_SWITCH,),
    "proxy_hide_header": (_HEADER,),
    "proxy_http_version": (r"1\.[01]",),
    "proxy_ignore_client_abort": (_SWITCH,),
    "proxy_ignore_headers": ("*" + _HEADER,),
    "proxy_intercept_errors": (_SWITCH,),
    "proxy_limit_rate": (_SIZE,),
    "proxy_max_temp_file_size": ("0|[0-9]{1,4}[kKmM]",),
    "proxy_next_upstream": ("*(" + _RETRY + ")",),
    "proxy_next_upstream_timeout": (_TIME,),
    "proxy_next_upstream_tries": ("[0-9]{1,2}",),
    "proxy_pass_header": (_HEADER,),
    "proxy_pass_request_body": (_SWITCH,),
    "proxy_pass_request_headers": (_SWITCH,),
    "proxy_read_timeout": (_TIME,),
    "proxy_redirect": (_WORD, "*" + _WORD),
    "proxy_request_buffering": (_SWITCH,),
    "proxy_send_timeout": (_TIME,),
    "proxy_set_header": (_HEADER, _WORD),
    "proxy_socket_keepalive": (_SWITCH,),
    "recursive_error_pages": (_SWITCH,),
    "reset_timedout_connection": (_SWITCH,),
    "send_timeout": (_TIME,),
    "server_tokens": (_SWITCH,),
    "sub_filter": (_WORD, _WORD),
    "sub_filter_once": (_SWITCH,),
    "sub_filter_types": (r"*[a-z0-9.+*-]{1,64}(/[a-z0-9.+-]{1,64})?",),
}
_REWRITES = {
    "break": (),
    "return": ("[1-5][0-9]{2}|https?://" + _WORD, "*" + _WORD),
    "rewrite": (_WORD, _WORD, "*(last|break|redirect|permanent)"),
    "set": (_VARIABLE, _WORD),
}
_UPSTREAM = {
    "hash": (_WORD, "*consistent"),
    "ip_hash": (),
    "keepalive": ("[0-9]{1,4}",),
    "keepalive_requests": (_NUMBER,),
    "keepalive_timeout": (_TIME,),
    "least_conn": (),
    "random": ("*(two|least_conn)",),
    "server": (_WORD, "*((weight|max_fails|max_conns)=[0-9]{1,5}|fail_timeout=" + _TIME + "|backup|down)"),
}
_SERVER = {
    **_COMMON,
    **_REWRITES,
    "absolute_redirect": (_SWITCH,),
    "listen": (_WORD,),
    "port_in_redirect": (_SWITCH,),
    "server_name": ("*" + _WORD,),
}
_LOCATION = {
    **_COMMON,
    **_REWRITES,
    "empty_gif": (),
    "internal": (),
    "proxy_method": ("[A-Z]{1,16}",),
    "proxy_pass": (_WORD,),
}
_IF_IN_LOCATION = {
    name: _LOCATION[name] for name in ("access_log", "add_header", "expires", "limit_rate", "proxy_pass", *_REWRITES)
}
_LIMIT_EXCEPT = {name: _COMMON[name] for name in ("allow", "deny")}
_LEAVES = {
    "top": {},
    "upstream": _UPSTREAM,
    "server": _SERVER,
    "server-if": _REWRITES,
    "location": _LOCATION,
    "location-if": _IF_IN_LOCATION,
    "limit_except": _LIMIT_EXCEPT,
}
_METHODS = "GET|HEAD|POST|PUT|DELETE|MKCOL|COPY|MOVE|OPTIONS|PROPFIND|PROPPATCH|LOCK|UNLOCK|PATCH"
# context -> directive with a block -> the context inside, and the patterns of its arguments
_BLOCKS = {
    "top": {"upstream": ("upstream", ("[a-z0-9_-]{1,128}",)), "server": ("server", ())},
    "server": {"location": ("location", (_WORD, "*" + _WORD)), "if": ("server-if", ("*" + _WORD,))},
    "location": {
        "location": ("location", (_WORD, "*" + _WORD)),
        "if": ("location-if", ("*" + _WORD,)),
        "limit_except": ("limit_except", ("*" + _METHODS,)),
    },
}
# What nginx takes from the default server of the port, whichever server the request turns out to be for.
_BEFORE_THE_HOST = frozenset(
    "client_header_buffer_size client_header_timeout connection_pool_size http2 ignore_invalid_headers"
    " large_client_header_buffers merge_slashes request_pool_size underscores_in_headers".split()
)
# PCRE2's three forms of a group with a name, of which nginx makes a variable of all servers; (?<= and (?<! have none.
_NAMED_GROUP = re.compile(r"\(\?(P?<(?![=!])|P?')")
_FILE_TEST = re.compile(r"\(?!?-[fdexFDEX]")


def check(tree: list[Directive], app: str, domains, servers, listens) -> None:
    """Refuse a tree with anything that an app must not use.

    domains: the app's own; servers: its processes as upstreams name them; listens: the arguments `listen` may have.
    Raises errors.BadConfig with the line.
    """
    _Checker(app, frozenset(domains), frozenset(servers), frozenset(listens)).check(tree)


class _Checker:
    def __init__(self, app: str, domains: frozenset, servers: frozenset, listens: frozenset) -> None:
        self.prefix = f"minipaas_{app}_"
        self.domains = domains
        self.listens = listens
        self.servers = servers
        self.upstreams: set[str] = set()

    def check(self, tree: list[Directive]) -> None:
        for directive in tree:
            if directive.name == "upstream" and directive.arguments:
                self._upstream(directive)
        self._context(tree, "top")

    def _context(self, tree, context: str) -> None:
        for directive in tree:
            if directive.block is None:
                patterns = _LEAVES[context].get(directive.name)
                inside = ""
            else:
                inside, patterns = _BLOCKS.get(context, {}).get(directive.name, ("", None))
            if directive.name in _BEFORE_THE_HOST:
                raise refusal(directive, f"nginx reads {directive.name} before it knows which app a request is for")
            if patterns is None:
                what = "at the top" if context == "top" else f"in {context.replace('-', ' ')}"
                raise refusal(directive, f"{api.names.safe(directive.name)} is not allowed {what}")
            self._arguments(directive, patterns)
            special = getattr(self, "_check_" + directive.name, None)
            if special:
                special(directive)
            if inside:
                self._context(directive.block, inside)

    def _arguments(self, directive: Directive, patterns: tuple[str, ...]) -> None:
        repeats = bool(patterns) and patterns[-1].startswith("*")
        least = len(patterns) - repeats
        if len(directive.arguments) < least or (len(directive.arguments) > least and not repeats):
            raise refusal(directive, f"{directive.name} has the wrong number of words")
        for index, argument in enumerate(directive.arguments):
            pattern = patterns[min(index, len(patterns) - 1)].removeprefix("*")
            if not re.fullmatch(pattern, argument):
                raise refusal(directive, f"{directive.name} may not have {api.names.safe(argument)}")
            if _NAMED_GROUP.search(argument):
                reason = f"a group with a name in {api.names.safe(argument)} would be a variable of all apps: use $1"
                raise refusal(directive, reason)

    def _upstream(self, directive: Directive) -> None:
        name = directive.arguments[0]
        if not name.startswith(self.prefix) or name in self.upstreams:
            raise refusal(
                directive,
                f"the upstream {api.names.safe(name)} must be the only one of its name and begin with {self.prefix}",
            )
        self.upstreams.add(name)

    def _check_server(self, directive: Directive) -> None:
        if directive.block is None:  # in an upstream
            if directive.arguments[0] not in self.servers:
                raise refusal(directive, f"{api.names.safe(directive.arguments[0])} is not a process of the app")
            return
        names = {inner.name for inner in directive.block}
        for needed in ("listen", "server_name"):  # without them nginx would take port 80, or requests without a host
            if needed not in names:
                raise refusal(directive, f"this server needs a {needed}")

    def _check_listen(self, directive: Directive) -> None:
        if directive.arguments[0] not in self.listens:
            raise refusal(
                directive,
                f"listen may only be one of the listeners' addresses, not {api.names.safe(directive.arguments[0])}",
            )

    def _check_server_name(self, directive: Directive) -> None:
        for name in directive.arguments or ("",):
            if name not in self.domains:
                raise refusal(directive, f"{api.names.safe(name)} is not a domain of the app")

    def _check_proxy_pass(self, directive: Directive) -> None:
        found = re.fullmatch(r"http://([a-z0-9_-]+)(/[^\x00-\x20]*)?", directive.arguments[0])
        if not found or found[1] not in self.upstreams:
            shown = api.names.safe(directive.arguments[0])
            raise refusal(directive, f"proxy_pass may only go to http:// and an upstream of this file, not {shown}")

    def _check_if(self, directive: Directive) -> None:
        if any(_FILE_TEST.match(argument) for argument in directive.arguments):
            raise refusal(directive, "if may not look for files")


def refusal(directive: Directive, reason: str) -> Exception:
    return api.errors.BadConfig(f"nginx.conf.j2 is refused: {reason} (line {directive.line} of its result)")

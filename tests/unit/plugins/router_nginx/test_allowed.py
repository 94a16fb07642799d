"""What an app's own template may make of nginx's configuration, by many that want more."""

import contextlib
import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipaas_lib import api
from plugins.router_nginx import allowed, syntax

OWN = """
upstream minipaas_blog_5000 { server 172.30.0.2:5000 max_fails=3 weight=2; least_conn; keepalive 8; }
"""
GOOD = (
    OWN
    + """
server {
    listen 80; listen [::]:80;
    server_name blog.example.org;
    client_max_body_size 50m;
    add_header X-Frame-Options DENY always;
    error_page 404 =200 /missing;
    set $mobile "";
    if ($http_user_agent ~* "(android|iphone)") { set $mobile yes; }
    if ($request_method = TRACE) { return 405; }
    rewrite ^/old/(.*)$ /new/$1 permanent;
    access_log off;
    location = /healthz { return 200 "ok"; }
    location ~ "^/api/v[0-9]{1,2}/" {
        proxy_pass http://minipaas_blog_5000;
        proxy_set_header Host $http_host;
        proxy_read_timeout 1h;
        proxy_buffering off;
        limit_except GET POST { deny all; }
    }
    location / { proxy_pass http://minipaas_blog_5000/app/; expires -1; gzip_types text/css *; }
}
"""
)
SERVER = OWN + "server { listen 80; server_name blog.example.org; %s }"
LOCATION = SERVER % "location / { %s }"


def check(text: str) -> None:
    allowed.check(syntax.parse(text), "blog", ["blog.example.org"], ["172.30.0.2:5000"], ["80", "[::]:80"])


def test_a_useful_template_passes():
    check(GOOD)
    check("")
    with pytest.raises(api.errors.BadConfig, match="access_log"):
        check(GOOD.replace("access_log off", "access_log /tmp/log"))


@pytest.mark.parametrize(
    "text",
    [
        # code, files, the host
        "load_module /tmp/x.so;",
        "user root;",
        "worker_processes 100;",
        "events { }",
        "http { }",
        "env SECRET;",
        "include /etc/passwd;",
        "lua_package_path x;",
        "perl_modules x;",
        "js_import x.js;",
        "error_log /etc/cron.d/x;",
        "log_format x y;",
        "map $a $b { default x; }",
        "geo $a { default 1; }",
        "proxy_cache_path /x keys_zone=a:1m;",
        "limit_req_zone $a zone=b:10m rate=1r/s;",
        "types { }",
        "stream { }",
        "daemon off;",
        "pid /x;",
        "working_directory /x;",
        "ssl_engine x;",
        "resolver 1.1.1.1;",
        "split_clients a $b { * x; }",
        # servers that are not the app's
        "server { }",
        "server { listen 80; }",
        "server { server_name blog.example.org; }",
        "server { listen 80; server_name; }",
        "server { listen 80; server_name shop.example.org; }",
        "server { listen 80; server_name blog.example.org ~.*; }",
        "server { listen 80; server_name _; }",
        'server { listen 80; server_name ""; }',
        "server { listen 80; server_name *.org; }",
        "server { listen 81; server_name blog.example.org; }",
        "server { listen 80 default_server; server_name blog.example.org; }",
        "server { listen unix:/tmp/x; server_name blog.example.org; }",
        "server { listen 127.0.0.1:80; server_name blog.example.org; }",
        "server x { listen 80; server_name blog.example.org; }",
        # upstreams that are not the app's
        "upstream minipaas_shop_5000 { server 172.30.0.2:5000; }",
        "upstream blog { server 172.30.0.2:5000; }",
        "upstream minipaas_blog_x { server 172.30.0.9:5000; }",
        "upstream minipaas_blog_x { server 172.30.0.2:22; }",
        "upstream minipaas_blog_x { server unix:/run/docker.sock; }",
        "upstream minipaas_blog_x { server localhost:2375; }",
        "upstream minipaas_blog_x { server 172.30.0.2:5000 resolve; }",
        "upstream minipaas_blog_x { zone x 1m; }",
        "upstream minipaas_blog_x { server 172.30.0.2; }",
        OWN + OWN,
        "upstream minipaas_blog_x;",
        "upstream { }",
        "upstream minipaas_blog_x { server; }",
        "upstream minipaas_blog_x { perl x; }",
        # of a server
        SERVER % "root /;",
        SERVER % "ssl_certificate /x;",
        SERVER % "ssl_certificate_key /x;",
        SERVER % "include x;",
        SERVER % "access_log /etc/cron.d/x;",
        SERVER % "error_log /x;",
        SERVER % "auth_basic_user_file /etc/shadow;",
        SERVER % "client_body_temp_path /x;",
        SERVER % "server { }",
        SERVER % "upstream x { }",
        SERVER % "lua_need_request_body on;",
        SERVER % "rewrite_by_lua_block { x; }",
        SERVER % "try_files /etc/passwd =404;",
        SERVER % "autoindex on;",
        SERVER % "if (-f /etc/shadow) { return 200; }",
        SERVER % "if (!-e $uri) { return 200; }",
        SERVER % "if ( -d /root ) { return 200; }",
        SERVER % "if ($a) { proxy_pass http://x; }",
        SERVER % "set $minipaas_connection x;",
        SERVER % "set $a;",
        SERVER % "Root /;",
        SERVER % '"ro\\ot" /;',
        SERVER % "disable_symlinks off;",
        SERVER % "open_file_cache max=1;",
        SERVER % "underscores_in_headers on;",
        # of a location
        LOCATION % "root /;",
        LOCATION % "alias /;",
        LOCATION % "index x;",
        LOCATION % "mirror /x;",
        LOCATION % "proxy_pass http://127.0.0.1:2375;",
        LOCATION % "proxy_pass http://unix:/run/docker.sock:/;",
        LOCATION % "proxy_pass http://$arg_host;",
        LOCATION % "proxy_pass http://minipaas_blog_5000$uri;",
        LOCATION % "proxy_pass http://minipaas_blog_5000.evil.org/;",
        LOCATION % "proxy_pass http://minipaas_blog_5000@evil/;",
        LOCATION % "proxy_pass https://minipaas_blog_5000;",
        LOCATION % "proxy_pass http://minipaas_shop_5000;",
        LOCATION % "proxy_pass http://minipaas_blog_5000:22;",
        LOCATION % "proxy_pass $x;",
        LOCATION % "proxy_pass;",
        LOCATION % "proxy_pass http://minipaas_blog_5000 x;",
        LOCATION % "proxy_store /etc/x;",
        LOCATION % "proxy_temp_path /x;",
        LOCATION % "proxy_cache x;",
        LOCATION % "proxy_ssl_certificate /x;",
        LOCATION % "proxy_bind 1.2.3.4;",
        LOCATION % "fastcgi_pass unix:/x;",
        LOCATION % "uwsgi_pass x;",
        LOCATION % "scgi_pass x;",
        LOCATION % "grpc_pass x;",
        LOCATION % "memcached_pass x;",
        LOCATION % "perl x;",
        LOCATION % "content_by_lua 'x';",
        LOCATION % "js_content x;",
        LOCATION % "stub_status;",
        LOCATION % "dav_methods PUT;",
        LOCATION % "client_body_in_file_only on;",
        LOCATION % "ssi on;",
        LOCATION % "xslt_stylesheet /x;",
        LOCATION % "image_filter test;",
        LOCATION % "secure_link x;",
        LOCATION % "flv;",
        LOCATION % "mp4;",
        LOCATION % "limit_req zone=x;",
        LOCATION % "proxy_read_timeout $x;",
        LOCATION % "if ($a) { root /; }",
        LOCATION % "limit_except GET { proxy_pass http://x; }",
        LOCATION % "limit_except FOO { deny all; }",
        # variables of all servers
        SERVER % "set $minipaas_trusted 1;",
        SERVER % "set $http_upgrade x;",
        SERVER % "set $sent_http_x x;",
        SERVER % "set $arg_x x;",
        SERVER % "set $upstream_http_x x;",
        SERVER % "set $cookie_x x;",
        SERVER % "set ${x} y;",
        SERVER % "set $Minipaas_connection x;",
        SERVER % "auth_request_set $http_upgrade x;",
        SERVER % "auth_request_set $minipaas_connection x;",
        SERVER % "auth_request_set $upstream_cookie_x x;",
        SERVER % "location ~ (?<minipaas_connection>.) { return 200; }",
        SERVER % "location ~ (?<any>.) { return 200; }",
        SERVER % 'location ~* "(?P<args>.)" { return 200; }',
        SERVER % "if ($uri ~ (?'host'.)) { return 200; }",
        SERVER % "rewrite ^(?<args>.) / last;",
        SERVER % r"rewrite \\(?<x>.) / last;",
        LOCATION % "proxy_redirect ~(?<a>.) /;",
        LOCATION % "proxy_cookie_path ~*(?P<a>.) /;",
        LOCATION % 'if ($http_x ~ "(?i)(?<a>.)") { return 200; }',
        LOCATION % "location ~ (?P'a'.) { return 200; }",
        # what is read before the server is known, and memory
        SERVER % "client_header_timeout 5s;",
        SERVER % "merge_slashes off;",
        SERVER % "large_client_header_buffers 4 8k;",
        SERVER % "ignore_invalid_headers off;",
        SERVER % "client_body_buffer_size 2m;",
        LOCATION % "proxy_buffer_size 999999m;",
        LOCATION % "proxy_buffers 100 8k;",
        LOCATION % "proxy_buffers 8 9999k;",
        LOCATION % "location /x { alias /; }",
        LOCATION % "gzip_static on;",
        LOCATION % "default_type;",
    ],
)
def test_what_wants_more_is_refused_with_its_line(text):
    with pytest.raises(api.errors.BadConfig, match=r"nginx.conf.j2 is refused: .* \(line \d+ of its result\)"):
        check(text)


WORDS = st.sampled_from(
    ["(?<", "(?P<", "(?'", "(?", "<", "=", "!", "P", "a", ">", ".", ")", "(", "\\", "[", "]", "'", "minipaas_x"]
)


@given(st.lists(WORDS, max_size=12).map("".join))
@settings(max_examples=200, deadline=None)
def test_no_regular_expression_that_passes_has_a_group_with_a_name(text):
    """By Python's own reading of it, where that can read it at all; its names are PCRE's but for the quotes."""
    try:
        check(f"{SERVER % ('rewrite ' + syntax.quote(text) + ' / last;')}")
    except api.errors.BadConfig:
        return
    assert "(?'" not in text
    for form in (text, text.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!")):
        with contextlib.suppress(re.error, RecursionError), warnings.catch_warnings(action="ignore"):
            assert not re.compile(form).groupindex


@given(st.from_regex(r"\$\{?[A-Za-z_]{0,3}(minipaas|http|arg|sent_http|x)_?[a-z]{0,4}\}?", fullmatch=True))
@settings(max_examples=100, deadline=None)
def test_no_variable_that_may_be_set_is_one_that_others_use(name):
    for directive in ("set", "auth_request_set"):
        with contextlib.suppress(api.errors.BadConfig):
            check(SERVER % f"{directive} {name} x;")
            assert (
                not re.match(r"\$(minipaas|http|arg|sent_http|cookie|upstream_http)_", name.lower()) and "{" not in name
            )

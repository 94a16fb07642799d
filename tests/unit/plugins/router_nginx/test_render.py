"""What nginx's files say for a route, and that no field of a route can say more."""

import dataclasses
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api
from plugins.router_nginx import files, headers, pages, render, router, settings, syntax

PLACE = render.Place(folder="/var/lib/minipaas/nginx", logs="/var/log/nginx")
ROUTE = api.Route(
    app="blog",
    generation="v4",
    domains=("www.example.org", "blog.example.org", "*.example.net"),
    listeners=(api.Listener("http", 80, 5000),),
    backends=(api.Backend("172.30.0.3"), api.Backend("172.30.0.2")),
)


def tree(route, place=PLACE):
    return syntax.parse(render.app_file(route, place))


def find(directives, *names):
    """All directives on the path `names`, in order."""
    for name in names[:-1]:
        directives = [inner for one in directives if one.name == name for inner in one.block or ()]
    return [one.arguments for one in directives if one.name == names[-1]]


def changed(**more):
    return dataclasses.replace(ROUTE, **more)


def test_upstreams_are_all_addresses_sorted_with_keepalive():
    (upstream,) = [one for one in tree(ROUTE) if one.name == "upstream"]
    assert upstream.arguments == ("minipaas_blog_5000",)
    assert [words[0] for words in find([upstream], "upstream", "server")] == ["172.30.0.2:5000", "172.30.0.3:5000"]
    assert find([upstream], "upstream", "keepalive") == [("128",)]
    assert find(tree(changed(settings={"keepalive": "0"})), "upstream", "keepalive") == []
    assert find(tree(changed(backends=(api.Backend("fd00::2"),))), "upstream", "server")[0][0] == "[fd00::2]:5000"


def test_an_upstream_is_the_port_that_leads_to_the_process():
    shared = tuple(api.Backend("192.0.2.7", ((5000, port),)) for port in (49155, 49154))
    servers = [words[0] for words in find(tree(changed(backends=shared)), "upstream", "server")]
    assert servers == ["192.0.2.7:49154", "192.0.2.7:49155"]


def test_the_server_has_the_domains_sorted_on_both_families():
    server = [one for one in tree(ROUTE) if one.name == "server"][0]
    assert find([server], "server", "listen") == [("80",), ("[::]:80",)]
    names = [words[0] for words in find([server], "server", "server_name")]
    assert names == ["*.example.net", "blog.example.org", "www.example.org"]
    assert find(tree(ROUTE, PLACE._replace(ipv6=False)), "server", "listen") == [("80",), ("80",)]


def test_requests_are_proxied_with_our_headers_in_http_1_1():
    sent = dict(find(tree(ROUTE), "server", "proxy_set_header"))
    assert sent["Host"] == sent["X-Forwarded-Host"] == "$minipaas_http_host"
    assert sent["X-Forwarded-For"] == "$remote_addr"
    assert sent["Connection"] == "$minipaas_connection"
    assert sent["Proxy"] == ""
    assert find(tree(ROUTE), "server", "include") == [
        (f"{PLACE.folder}/{name}.conf",) for name in ("server", "headers")
    ]
    assert find(tree(ROUTE), "server", "proxy_http_version") == [("1.1",)]
    assert find(tree(ROUTE), "server", "location", "proxy_pass") == [("http://minipaas_blog_5000",)] * 2


@pytest.mark.parametrize(
    ("value", "recursive", "networks"),
    [
        ("on", "off", ["0.0.0.0/0", "::/0"]),
        ("10.0.0.0/8,192.0.2.7", "on", ["10.0.0.0/8", "192.0.2.7"]),
    ],
)
def test_a_proxy_is_believed_if_it_is_one_of_those_named(value, recursive, networks):
    made = tree(changed(app="my-blog", settings={"trusted-proxy": value}))
    assert dict(find(made, "server", "proxy_set_header"))["X-Forwarded-For"] == "$minipaas_forwarded_for"
    assert (f"{PLACE.folder}/headers-trusted.conf",) in find(made, "server", "include")
    assert [words[0] for words in find(made, "server", "set_real_ip_from")] == networks
    assert find(made, "server", "real_ip_recursive") == [(recursive,)]
    geo = [one for one in made if one.name == "geo"]
    if value == "on":
        assert geo == [] and find(made, "server", "set") == []
    else:
        assert find(made, "server", "set") == [("$minipaas_trusted", "$minipaas_trusted_my_blog")]
        assert geo[0].arguments == ("$realip_remote_addr", "$minipaas_trusted_my_blog")
        assert [inner.name for inner in geo[0].block] == ["default", *networks]


def test_what_nginx_reads_before_it_knows_the_host_is_in_every_server():
    chosen = {"client-header-timeout": "5s", "large-client-header-buffers": "8 32k", "underscores-in-headers": "on"}
    text = render.shared_files(settings.everywhere(chosen))["server.conf"]
    assert [(one.name, *one.arguments) for one in syntax.parse(text)] == [
        ("client_header_timeout", "5s"),
        ("large_client_header_buffers", "8", "32k"),
        ("underscores_in_headers", "on"),
    ]
    for made in (
        render.app_file(ROUTE, PLACE),
        render.catch_all(ROUTE.app, render.app_file(ROUTE, PLACE), 80, PLACE),
        render.port_file(8080, PLACE),
    ):
        server = next(one for one in syntax.parse(made) if one.name == "server")
        assert (f"{PLACE.folder}/server.conf",) in find([server], "server", "include")
        assert find([server], "server", "reset_timedout_connection") == [("on",)]
        assert "client_header_timeout" not in made


def test_the_docs_name_every_header_that_is_dropped():
    with open(os.path.join(os.path.dirname(__file__), "../../../../docs/operations.md"), encoding="utf-8") as file:
        text = file.read()
    assert [name for name in ("Proxy", *headers.FOREIGN) if f"`{name}`" not in text] == []


def test_what_others_say_of_a_request_is_dropped_or_told():
    files_ = render.shared_files(settings.everywhere({}))
    names = ("headers.conf", "headers-trusted.conf")
    dropped, told = (dict(find(syntax.parse(files_[name]), "proxy_set_header")) for name in names)
    assert list(dropped) == list(told) == list(headers.FOREIGN) and set(dropped.values()) == {""}
    assert told["X-Forwarded-Ssl"] == "$minipaas_told_x_forwarded_ssl"
    main = render.main_file(PLACE, "/x/live", set())
    for name in headers.FOREIGN:
        assert f"map $minipaas_trusted {headers.variable(name)} " in main
    through = render.shared_files(settings.everywhere({"underscores-in-headers": "on"}))
    with_underscores = dict(find(syntax.parse(through["headers-trusted.conf"]), "proxy_set_header"))
    for name in ("X_Forwarded_For", "X-Forwarded_For", "X_Real_IP", "Content_Length", "X_Forwarded_Preferred-Username"):
        assert with_underscores[name] == ""
    assert len({name.lower() for name in with_underscores}) == len(with_underscores)


def test_settings_reach_their_directives():
    chosen = {
        "client-max-body-size": "100m",
        "gzip": "off",
        "proxy-read-timeout": "2h",
        "proxy-buffering": "off",
        "access-log": "off",
        "proxy-buffer-size": "16k",
    }
    made = tree(changed(settings=chosen))
    assert find(made, "server", "client_max_body_size") == [("100m",)]
    assert find(made, "server", "gzip") == [("off",)]
    assert find(made, "server", "proxy_read_timeout") == [("2h",)]
    assert find(made, "server", "proxy_buffering") == [("off",)]
    assert find(made, "server", "access_log") == [("off",), ("off",)]
    assert find(made, "server", "proxy_buffers") == [("8", str(16 * 1024 + 17))], "no round size"


def test_each_host_port_gets_a_server_and_leads_to_its_container_port():
    route = changed(listeners=(api.Listener("http", 8080, 9000), api.Listener("http", 80, 5000)))
    servers = [one for one in tree(route) if one.name == "server"]
    assert [find([one], "server", "listen")[0] for one in servers] == [("80",), ("8080",), ("80",)]
    led = [{words[0] for words in find([one], "server", "location", "proxy_pass")} for one in servers]
    assert led == [{"http://minipaas_blog_5000"}, {"http://minipaas_blog_9000"}, set()]
    assert files.ports_of(render.app_file(route, PLACE)) == {80, 8080}


def test_without_processes_everything_is_the_503_page():
    made = tree(changed(backends=()))
    assert find(made, "upstream") == []
    assert ("503",) in find(made, "server", "location", "return")
    assert any("503" in words for words in find(made, "server", "error_page")[:-1])
    assert ("Retry-After", "$minipaas_retry_after", "always") in find(made, "server", "location", "add_header")


def test_without_domains_only_the_proof_is_left():
    made = tree(changed(domains=()))
    assert find(made, "server", "server_name") == [("blog.route.minipaas.invalid",)]


def test_the_same_route_in_another_order_is_the_same_text():
    other = changed(domains=ROUTE.domains[::-1], backends=ROUTE.backends[::-1])
    assert render.app_file(ROUTE, PLACE) == render.app_file(other, PLACE)


def test_the_proof_names_the_generation_and_tells_states_apart():
    text, stopped = render.app_file(ROUTE, PLACE), render.app_file(changed(backends=()), PLACE)
    assert render.proof_of(text).startswith("v4~")
    assert render.proof_of(text) != render.proof_of(stopped)
    assert files.generation_of(text) == "v4"


def test_the_proof_is_for_this_host_alone():
    made = tree(changed(domains=()))
    assert find(made, "server", "if") == [("($server_addr", "=", "127.0.0.1)")]
    assert ("404",) in find(made, "server", "location", "return")


HOSTILE = [
    "a;b",
    "a b",
    "a{",
    "a}",
    "a\n",
    "a#",
    'a"',
    "$host",
    "a\\",
    "~^.*$",
    "",
    "../x",
    "a\x00",
    "ä.org",
    "A.ORG",
    "_",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_field_of_a_route_can_hold_syntax(text):
    bad = [
        changed(app=text),
        changed(generation=text + ";"),
        changed(domains=(text + ";",)),
        changed(backends=(api.Backend(text),)),
        changed(listeners=(api.Listener(text, 80, 5000),)),
        changed(listeners=(api.Listener("http", text, 5000),)),
        changed(backends=(api.Backend("10.0.0.1", ((5000, text),)),)),
        changed(settings={"gzip": text}),
        changed(settings={text: "on"}),
    ]
    for route in bad:
        with pytest.raises(api.errors.BadConfig):
            render.app_file(route, PLACE)


def test_no_app_can_answer_for_the_proof_of_another():
    with pytest.raises(api.errors.BadConfig):
        render.app_file(changed(domains=("shop.route.minipaas.invalid",)), PLACE)


@given(st.text(max_size=40))
def test_a_domain_is_refused_or_stands_alone(text):
    try:
        made = tree(changed(domains=(text,)))
    except api.errors.BadConfig:
        return
    assert find(made, "server", "server_name") == [(text,), ("blog.route.minipaas.invalid",)]


@pytest.mark.parametrize("port", [0, -1, 65536, True, "80", 80.0])
def test_ports_are_numbers_of_ports(port):
    with pytest.raises(api.errors.BadConfig):
        render.app_file(changed(listeners=(api.Listener("http", 80, port),)), PLACE)


def test_main_conf():
    made = syntax.parse(render.main_file(PLACE, "/x/live", set()))
    assert find(made, "include") == [("/x/live/*.conf",)]
    assert find(made, "server_names_hash_bucket_size") == [("512",)]
    assert find(made, "server") == [], "a file of its own, which can be an app's, answers names of no app"
    spared = syntax.parse(render.main_file(PLACE, "/x/live", {"server_names_hash_bucket_size"}))
    assert find(spared, "server_names_hash_bucket_size") == []
    assert find(spared, "server_names_hash_max_size") == [("16384",)]


def test_the_pages_are_words_that_nginx_reads_back():
    (texts,) = [
        one.block
        for one in syntax.parse(render.main_file(PLACE, "/x/live", set()))
        if one.name == "map" and one.arguments[1] == "$minipaas_page_of_status"
    ]
    for status, (title, text) in pages.PAGES.items():
        (page,) = [inner.arguments[0] for inner in texts if inner.name == str(status)]
        assert f"<h1>{title}</h1>" in page and text in page
        assert "$" not in page and len(page.encode()) < 3500, "nginx takes no word of 4096 bytes"


def test_no_page_is_a_file_of_the_host():
    for text in (
        render.app_file(ROUTE, PLACE),
        render.main_file(PLACE, "/x/live", set()),
        render.port_file(8080, PLACE),
    ):
        assert not {"alias", "root", "try_files"} & set(re.findall(r"^ *([a-z_]+)", text, re.MULTILINE))


def test_the_file_of_a_further_port_takes_unknown_hosts():
    made = syntax.parse(render.port_file(8080, PLACE))
    assert find(made, "server", "listen") == [("8080", "default_server"), ("[::]:8080", "default_server")]
    assert ("404",) in find(made, "server", "location", "return")


ADDRESSES = st.lists(
    st.ip_addresses().map(str).filter(lambda text: "%" not in text), min_size=1, max_size=4, unique=True
)


def shape_of(route):
    return router.shape(render.app_file(route, PLACE), route)


@given(ADDRESSES, ADDRESSES)
def test_the_shape_of_a_file_tells_all_but_its_addresses(one, other):
    one, other = (tuple(api.Backend(address) for address in addresses) for addresses in (one, other))
    same = shape_of(changed(backends=one)) == shape_of(changed(backends=other))
    assert same == (len(one) == len(other))


@pytest.mark.parametrize(
    "more",
    [
        {"domains": ("a.test",)},
        {"generation": "v5"},
        {"settings": {"gzip": "off"}},
        {"app": "shop"},
        {"listeners": (api.Listener("http", 80, 5001),)},
        {"listeners": (api.Listener("http", 8080, 5000),)},
    ],
)
def test_whatever_else_differs_is_another_shape(more):
    assert shape_of(changed(**more)) != shape_of(ROUTE)


def test_the_file_of_a_port_that_is_one_app_s_has_upstreams_of_its_own():
    text = render.app_file(ROUTE, PLACE)
    port = ROUTE.listeners[0].host_port
    made = syntax.parse(render.catch_all(ROUTE.app, text, port, PLACE))
    assert find(made, "server", "server_name") == [("_",)]
    assert find(made, "server", "listen") == [(address, "default_server") for address in PLACE.listens(port)]
    theirs = {arguments[0] for arguments in find(syntax.parse(text), "upstream")}
    ours = {arguments[0] for arguments in find(made, "upstream")}
    assert ours and not ours & theirs, "each of the two files stands by itself"
    targets = find(made, "server", "location", "proxy_pass")
    assert targets and all(target.removeprefix("http://") in ours for (target,) in targets)
    assert render.catch_all(ROUTE.app, text, 9999, PLACE) == ""


def test_the_file_of_a_port_that_is_one_app_s_needs_no_variable_of_the_app_s_own_file():
    """A kill between the two files left nginx with a variable that it does not know, and it did not start again."""
    text = render.app_file(changed(settings={"trusted-proxy": "10.0.0.0/8,192.0.2.7"}), PLACE)
    made = render.catch_all(ROUTE.app, text, 80, PLACE)
    (geo,) = [one for one in syntax.parse(made) if one.name == "geo"]
    variable = geo.arguments[1]
    assert geo.arguments == ("$realip_remote_addr", "$minipaas_trusted_blog_all_80")
    assert [(one.name, *one.arguments) for one in geo.block] == [
        ("default", "0"),
        ("10.0.0.0/8", "1"),
        ("192.0.2.7", "1"),
    ]
    assert ("$minipaas_trusted", variable) in find(syntax.parse(made), "server", "set")
    assert set(re.findall(r"\$minipaas_trusted_\w+", made)) == {variable} and variable not in text


def test_a_name_s_file_is_asked_for_by_the_host_alone():
    text = render.port_file(8080, PLACE)
    asked = re.findall(r'-f "([^"]*)"', text)
    assert len(asked) == 15 and asked[-1] == f"{PLACE.folder}/names/live/$host"
    assert all(path.count("$") == 1 and path.startswith(f"{PLACE.folder}/names/") for path in asked)


def test_the_pages_of_owned_names_are_out_of_reach_of_a_template():
    """By a rewrite or a location of its own the default app's template answered for names of apps that are off."""
    guards = syntax.parse(render._jinja("names.j2", render._names(PLACE)))
    codes = {arguments[0]: arguments[1:] for arguments in find(guards, "error_page")}
    assert {code for (code,) in find(guards, "if", "return")} == set(codes) == {"460", "461", "462"}
    made = {one.arguments[0]: one for one in guards if one.name == "location"}
    for status, target in codes.values():
        assert target.startswith("@minipaas_"), "an address would go through the rewrites of the server once more"
        ((answer, text),) = find(made[target].block, "return")
        assert status == f"={answer}" and text.startswith("<!doctype html>")
        assert find(made[target].block, "default_type") == [("text/html",)]
        assert [one.block for one in made[target].block if one.name == "types"] == [()], "whatever the path ends with"


@pytest.mark.parametrize("state", ["new", "off"])
def test_the_file_of_an_app_that_is_not_routed(state):
    made = syntax.parse(render.withheld_file("blog", state, ["b.example.org", "*.a.example.org"], {80, 8080}, PLACE))
    server = next(one for one in made if one.name == "server")
    assert find(server.block, "server_name") == [("*.a.example.org",), ("b.example.org",)]
    assert ("8080",) in find(server.block, "listen") and find(server.block, "location", "proxy_pass") == []

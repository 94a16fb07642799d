"""Who answers for a name that no server of its app answers: against a real nginx of its own. Needs root and nginx."""

import os
import shutil
import subprocess
import tempfile
import time

import pytest
from test_router_nginx import World, app_server, free_port, raw

from minipaas_lib import api
from plugins.router_nginx import files, owned
from plugins.router_nginx import host as nginx_host

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/usr/sbin/nginx"), reason="needs root and nginx"),
]

UNKNOWN, NOT_DEPLOYED = (404, "There is no app at this address"), (404, "This app is not deployed yet")
OFF, OTHER_PORT = (503, "This app is switched off"), (404, "This app does not answer on this port")
FIRST, SECOND = (200, "first"), (200, "second")


class Names(World):
    def new(self, app: str, *domains: str, why: str = "not-deployed") -> None:
        """Have domains be an app's that is not routed."""
        self.router.apply(api.Route(app, why, domains, (), (), withheld=why))

    def says(self, host: str, port: int = 0):
        """Status and title, or the first word of an app's answer."""
        status, _, body = self.get(host, port=port)
        title = body.partition("<title>")[2].partition("</title>")[0]
        return status, title or body.partition("\n")[0]

    def workers(self) -> set[int]:
        """Those that take requests: others after each reload."""
        for _ in range(100):
            if found := nginx_host.workers(self.host):
                return found
            time.sleep(0.02)
        raise AssertionError("nginx has no workers")


@pytest.fixture
def host():
    folder = tempfile.mkdtemp(prefix="minipaas-names-")
    os.chmod(folder, 0o755)
    made = Names(folder)
    made.start()
    with app_server("127.0.0.1", made.app_port, "first"):
        yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_each_name_answers_for_itself_without_a_reload(host):
    before = host.workers()
    host.new("blog", "blog.example.org", "*.blog.example.org")
    host.new("shop", "shop.example.org", why="off")
    assert host.says("blog.example.org") == host.says("Blog.Example.org.:80") == NOT_DEPLOYED
    assert host.says("shop.example.org") == OFF and host.says("other.example.org") == UNKNOWN
    for name in ("a.blog.example.org", "a.b.blog.example.org", "a.b.c.d.blog.example.org"):
        assert host.says(name) == NOT_DEPLOYED, name
    host.new("shop", "shop.example.org", "x.blog.example.org", why="off")
    assert host.says("x.blog.example.org") == OFF, "the nearest name counts"
    host.new("blog", "new.example.org")
    assert host.says("blog.example.org") == host.says("a.blog.example.org") == UNKNOWN
    assert host.says("new.example.org") == NOT_DEPLOYED
    host.router.remove("blog")
    host.router.remove("shop")
    assert host.says("new.example.org") == host.says("shop.example.org") == UNKNOWN
    assert before <= host.workers() and host.router.routes() == []


def test_a_path_that_looks_like_a_file_s_and_any_method_get_the_page(host):
    host.new("blog", "blog.example.org")
    for path in ("/a/b.png", "/x.css?y", "/.minipaas-pages/off", "/.minipaas-pages/"):
        status, head, body = host.get("blog.example.org", path)
        assert status == 404 and head["Content-Type"].startswith("text/html"), path
        assert ".minipaas-pages" in path or "This app is not deployed yet" in body
    answer = raw(
        host.port, b"POST / HTTP/1.1\r\nHost: blog.example.org\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    )
    assert "not deployed yet" in answer and "no-store" in answer


def test_no_host_header_leads_out_of_the_folder(host):
    host.new("blog", "blog.example.org")
    strange = (
        "..",
        "../apps/blog",
        "%2e%2e",
        "blog.example.org/../..",
        ".",
        "a..b",
        "_",
        "*.example.org",
        "[::1]",
        "apps",
        "x" * 300,
    )
    for name in strange:
        answer = raw(host.port, f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        assert answer.split()[1] in ("400", "404") and "not deployed" not in answer, name


def test_without_a_host_header_there_is_no_app(host):
    host.new("blog", "blog.example.org")
    assert "There is no app" in raw(host.port, b"GET / HTTP/1.0\r\n\r\n")


def test_another_app_s_wildcard_never_answers_for_an_owner(host):
    host.new("blog", "blog.example.org", "other.example.net")
    host.new("deep", "*.deep.example.org", why="off")
    host.router.apply(host.route("wild", domains=("*.example.org",)))
    assert host.says("any.example.org") == FIRST
    assert host.says("blog.example.org") == host.says("other.example.net") == NOT_DEPLOYED
    assert host.says("a.deep.example.org") == OFF
    host.new("late", "late.example.org")
    assert host.says("late.example.org") == NOT_DEPLOYED
    before = host.workers()
    host.new("late", "late.example.org")
    host.new("far", "far.example.net")
    assert before <= host.workers(), "nothing to reload"
    host.router.apply(host.route("late", "v1", domains=("late.example.org",), addresses=()))
    assert host.says("late.example.org")[0] == 503 and host.router.applied("late") == "v1"
    host.router.remove("blog")
    assert host.says("blog.example.org") == FIRST, "nobody's now"
    host.new("wild", "*.example.org", why="off")
    assert (
        host.says("any.example.org") == host.says("blog.example.org") == OFF and host.says("a.deep.example.org") == OFF
    )
    assert sorted(host.live()) == [f"_port_{host.port}.conf", "late.conf"]


def test_an_app_that_is_switched_off_and_on(host):
    host.router.apply(host.route())
    host.new("blog", "blog.example.org", why="off")
    assert (
        host.says("blog.example.org") == OFF and host.router.applied("blog") == "" and host.router.placed("blog") == ""
    )
    host.router.apply(host.route(generation="v3"))
    assert host.says("blog.example.org") == FIRST and host.router.placed("blog") == "v3"


def test_what_a_kill_left_of_names_is_put_right(host):
    host.router.apply(host.route("wild", domains=("*.example.org",)))
    host.router.apply(host.route())
    owned.keep(host.host, "blog", owned.NEW, ("blog.example.org",))  # killed before the names were told of
    host.router.apply(host.route("wild", "v2", domains=("*.example.org",)))
    assert host.says("blog.example.org") == FIRST, "the file that routes it stays"
    before = host.workers()
    host.router.apply(host.route())
    assert owned.state_of(host.host, "blog") == owned.LIVE and before <= host.workers()
    shutil.rmtree(host.host.place.names)
    host.router.apply(host.route())
    assert owned.of(host.host, "blog") == ["blog.example.org"]


def test_names_that_go_to_another_app_stay_when_the_first_one_goes(host):
    """apps:rename routes to the new name first, and takes the old one away then."""
    host.router.apply(host.route("old", domains=("a.example.org", "old.example.org")))
    host.router.apply(host.route("new", domains=("a.example.org", "new.example.org")))
    host.router.remove("old")
    host.new("x", "x.example.org")
    assert (
        owned.of(host.host, "new") == ["a.example.org", "new.example.org"]
        and owned.state_of(host.host, "new") == owned.LIVE
    )
    assert host.says("a.example.org") == FIRST and host.says("old.example.org") == UNKNOWN


def test_a_port_that_one_app_maps_answers_names_of_nobody(host):
    port, second = free_port(), free_port()
    listeners = (api.Listener("http", host.port, host.app_port), api.Listener("http", port, host.app_port))
    host.router.apply(host.route(listeners=listeners))
    host.new("late", "late.example.org")
    host.router.apply(host.route("shop", domains=("shop.example.org", "*.example.com"), addresses=()))
    for name in ("127.0.0.1", "nobody.example.net", "blog.example.org"):
        assert host.says(name, port) == FIRST, name
    assert host.says("127.0.0.1") == UNKNOWN, "not on the port that all share"
    assert host.says("late.example.org", port) == NOT_DEPLOYED
    assert host.says("shop.example.org", port) == host.says("a.b.example.com", port) == OTHER_PORT
    with app_server("127.0.0.1", second, "second"):
        both = (api.Listener("http", port, second),)
        host.router.apply(host.route("api", domains=("api.example.org",), listeners=both))
        assert host.says("127.0.0.1", port) == UNKNOWN and host.says("blog.example.org", port) == FIRST
        host.router.apply(host.route("blog", "v2"))
        assert host.says("127.0.0.1", port) == SECOND == host.says("api.example.org", port)
        assert host.says("blog.example.org", port) == OTHER_PORT
        host.router.remove("api")
    assert f"_port_{port}.conf" not in host.live()
    assert host.router.validate() == ("", ())


def test_an_app_without_a_domain_answers_on_a_port_of_its_own(host):
    port = free_port()
    listeners = (api.Listener("http", host.port, host.app_port), api.Listener("http", port, host.app_port))
    host.router.apply(host.route(listeners=listeners, domains=()))
    assert host.says("127.0.0.1", port) == FIRST and host.says("127.0.0.1") == UNKNOWN


def test_the_default_app_answers_names_of_nobody(host):
    host.router.apply(host.route(default=True))
    host.new("late", "late.example.org")
    assert host.says("127.0.0.1") == host.says("nobody.example.net") == host.says("blog.example.org") == FIRST
    assert host.says("late.example.org") == NOT_DEPLOYED
    status, _, body = host.get("127.0.0.1", "/x", **{"X-Forwarded-For": "6.6.6.6"})
    assert status == 200 and "6.6.6.6" not in body
    host.router.install()
    assert host.says("127.0.0.1") == FIRST, "an upgrade keeps it"
    host.router.apply(host.route(generation="v2", default=True, addresses=()))
    assert host.says("127.0.0.1")[0] == 503, "stopped"
    with app_server("127.0.0.1", other := free_port(), "second"):
        listeners = (api.Listener("http", host.port, other),)
        host.router.apply(host.route("shop", listeners=listeners, domains=("shop.example.org",), default=True))
        assert host.says("127.0.0.1") == SECOND, "the one that was told last"
        host.router.apply(host.route(generation="v3"))
        assert host.says("127.0.0.1") == SECOND
        host.router.apply(host.route("shop", "v2", listeners=listeners, domains=(), default=True))
        assert host.says("127.0.0.1") == SECOND and host.says("shop.example.org") == SECOND, "nobody's either"
        host.router.remove("shop")
    assert host.says("127.0.0.1") == UNKNOWN and host.router.validate() == ("", ())


def test_a_template_of_its_own_answers_for_all_names_too(host):
    template = """upstream minipaas_blog_x { server {{ upstreams[0].servers[0] }}; }
        {% for listener in listeners %}server {
        {% for address in listener.addresses %}listen {{ address }}; {% endfor %}
        server_name {{ domains[0] }}; location / { proxy_pass http://minipaas_blog_x; }
        location /old { return 410; } }{% endfor %}"""
    host.router.apply(host.route(template=template, settings={"custom-template": "on"}, default=True))
    assert host.says("127.0.0.1") == FIRST and host.get("127.0.0.1", "/old")[0] == 410
    host.new("late", "late.example.org")
    assert host.says("late.example.org") == NOT_DEPLOYED


def test_a_file_of_a_version_before_gives_its_place_up(host):
    """Its main.conf had the server for names of no app itself; two would be refused."""
    path = os.path.join(host.host.place.folder, "main.conf")
    text = files.read(path).replace(
        "include ", f"server {{ listen {host.port} default_server; return 404; }}\ninclude ", 1
    )
    host.write(path, text)
    os.unlink(files.port_path(host.host, host.port))
    subprocess.run(["/usr/sbin/nginx", "-c", host.conf, "-s", "reload"], check=True)
    host.router.apply(host.route())
    assert host.says("blog.example.org") == FIRST and host.says("nobody.example.org") == UNKNOWN
    assert "default_server" not in files.read(path)


@pytest.mark.parametrize("where", ["conf.d/own.conf", "sites-enabled/own"])
def test_a_site_of_the_person_s_own_that_has_taken_a_name_is_told_of(host, where, capsys):
    from plugins.router_nginx import doctor

    host.router.apply(host.route())
    assert capsys.readouterr().err == "" and doctor._valid(host.host).ok
    path = f"{host.host.etc}/{where}"
    host.write(
        path,
        (
            "# server_name shop.example.org;\n"
            f"server {{ listen {host.port}; server_name x.example.org\n"
            "  blog.example.org; return 204; }\n"
        ),
    )
    finding = doctor._valid(host.host)
    assert (
        not finding.ok
        and f"blog.example.org, which is blog's, has a site in {path} too" in finding.said
        and finding.fix.endswith("nginx:reload")
    )
    host.router.apply(host.route(generation="v2", domains=("blog.example.org", "shop.example.org")))
    said = capsys.readouterr().err
    assert f"blog.example.org, which is blog's, has a site in {path} too, and nginx ignores one of the two" in said
    assert "shop.example.org" not in said and host.router.applied("blog") == "v2"
    os.unlink(path)
    assert doctor._valid(host.host).ok


def test_two_apps_with_one_name_while_a_renaming_goes_on_are_no_finding(host):
    from plugins.router_nginx import doctor

    host.router.apply(host.route("old", domains=("a.example.org",)))
    host.router.apply(host.route("new", domains=("a.example.org",)))
    assert doctor._valid(host.host).ok


def test_what_mends_a_bad_file_of_the_person_s_own_is_named(host):
    from plugins.router_nginx import doctor

    path = f"{host.host.etc}/conf.d/own.conf"
    host.write(path, "nonsense on;\n")
    finding = doctor._valid(host.host)
    assert not finding.ok and path in finding.said and 'unknown directive "nonsense"' in finding.said
    assert finding.fix == "correct what nginx reports there, then: nginx:validate-config"

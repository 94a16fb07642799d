import json
import re
import time

import pytest

from minipaas_lib import api, errors
from minipaas_lib.deploy import change, compose
from minipaas_lib.records import apps
from minipaas_lib.store import open_store


@pytest.fixture
def two(world):
    """A world with two apps and one global domain."""
    world.ok("domains:set-global", "paas.example")
    world.ok("apps:create", "blog")
    world.ok("apps:create", "shop")
    return world


def domains(app):
    return compose.routing(apps.load(app), "")["domains"]


def test_the_default(two):
    assert domains("blog") == ["blog.paas.example"]
    assert two.ok("domains:report", "--global", "--domains-global-vhosts") == "paas.example\n"
    two.ok("domains:add-global", "second.example")
    assert domains("blog") == ["blog.paas.example", "blog.second.example"]
    two.ok("domains:remove-global", "paas.example")
    assert domains("blog") == ["blog.second.example"]
    two.ok("domains:clear-global")
    assert domains("blog") == []
    assert two.ok("domains:report", "--global", "--domains-global-vhosts") == "\n"


def test_add_set_remove_clear_reset(two):
    two.ok("domains:add", "blog", "Example.ORG.", "*.example.org", "example.org")
    assert domains("blog") == ["*.example.org", "blog.paas.example", "example.org"]
    two.ok("domains:remove", "blog", "*.example.org")
    assert domains("blog") == ["blog.paas.example", "example.org"]
    two.ok("domains:remove", "blog", "blog.paas.example")
    assert domains("blog") == ["example.org"]
    two.ok("domains:set", "blog", "a.example", "b.example")
    assert domains("blog") == ["a.example", "b.example"]
    cleared = two("domains:clear", "blog")
    assert cleared.status == 0 and "domains:reset blog" in cleared.err
    assert domains("blog") == []
    two.ok("domains:reset", "blog")
    assert domains("blog") == ["blog.paas.example"]
    assert "domains" not in apps.load("blog").document


def test_one_of_two_default_domains_removed(two):
    two.ok("domains:add-global", "second.example")
    two.ok("domains:remove", "blog", "blog.paas.example")
    assert domains("blog") == ["blog.second.example"]


def test_what_is_so_already(two):
    two.ok("domains:add", "blog", "example.org")
    before = two.documents()
    for arguments in (
        ["add", "blog", "example.org"],
        ["add", "blog", "blog.paas.example"],
        ["set-global", "paas.example"],
    ):
        result = two("domains:" + arguments[0], *arguments[1:])
        assert result.status == 0 and re.search("nothing changed|are unchanged", result.err)
    assert two.documents() == before


def test_a_domain_has_one_app(two):
    two.ok("domains:add", "shop", "example.org", "*.example.org")
    for name in ("example.org", "EXAMPLE.org.", "*.example.org", "shop.paas.example"):
        assert "belongs to app shop" in two.refused("domains:add", "blog", "free.example", name)
        assert "belongs to app shop" in two.refused("domains:set", "blog", name)
    two.ok("domains:add", "blog", "www.example.org")
    two.ok("domains:clear", "shop")
    two.ok("domains:add", "blog", "example.org", "shop.paas.example")
    assert "shop.paas.example belongs to app blog" in two.refused("domains:reset", "shop")


def test_a_part_of_a_name_is_not_the_name(two):
    two.ok("domains:add", "shop", "www.example.org")
    two.ok("domains:add", "blog", "example.org", "w.example.org")


def test_a_given_name_wins_over_a_later_default(two):
    two.ok("domains:add", "blog", "wiki.paas.example")
    created = two("apps:create", "wiki")
    assert created.status == 0 and "wiki.paas.example already belongs to another app" in created.err
    assert domains("wiki") == [] and "wiki.paas.example" in domains("blog")
    two.ok("domains:add-global", "second.example")
    assert domains("wiki") == ["wiki.second.example"]
    report = json.loads(two.ok("domains:report", "--format", "json"))
    assert report["wiki"]["domains-app-vhosts"] == ["wiki.second.example"]
    two.ok("domains:remove", "blog", "wiki.paas.example")
    assert domains("wiki") == ["wiki.paas.example", "wiki.second.example"]


BAD = [
    "a b.example",
    "a;b.example",
    "a{b.example",
    "http://example.org/",
    "",
    "example.org:80",
    "192.0.2.1",
    "a..b",
    "-a.example",
    "a\n",
    "*.*.example",
    "x" * 300,
    "a$b.example",
    '"a".example',
    "exa\x1b[31mmple.org",
    "a/b",
]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["add", "set", "remove"])
def test_bad_domains(two, command, name):
    assert "\x1b" not in two.refused(f"domains:{command}", "blog", "good.example", name)


@pytest.mark.parametrize("name", [*BAD, "*.example.org", "a." * 100 + "example"])
@pytest.mark.parametrize("command", ["add-global", "set-global", "remove-global"])
def test_bad_global_domains(two, command, name):
    two.refused(f"domains:{command}", name)


def test_bad_calls(two):
    two.refused("domains:add", "blog")
    two.refused("domains:add")
    two.refused("domains:add", "nope", "example.org")
    two.refused("domains:set-global")
    assert "domains:report blog" in two.refused("domains:remove", "blog", "other.example")
    two.refused("domains:remove-global", "other.example")
    two.refused("domains:report", "nope")


def test_international_names_are_shown_as_people_read_them(two):
    added = two("domains:add", "blog", "bücher.example")
    assert "added bücher.example (xn--bcher-kva.example)" in added.err
    assert "xn--bcher-kva.example" in domains("blog")


def test_a_broken_document_of_another_app(two):
    open_store().write("apps/shop/app.toml", '[domains]\nnames = ["shop.example"\n')
    two.ok("domains:add", "blog", "example.org")
    assert two("domains:add", "blog", "shop.example").status == 78


def test_the_hook_is_told(two, monkeypatch):
    told = []
    monkeypatch.setattr(api, "notify", lambda hook, app, domains: told.append((hook, app.name, domains)))
    monkeypatch.setitem(api.kernel.index.load().hooks, "domains_changed", [])
    two.ok("domains:add", "blog", "example.org")
    two.ok("domains:add", "blog", "example.org")
    two.ok("domains:clear", "shop")
    two.ok("domains:set-global", "new.example")
    assert told == [
        ("domains_changed", "blog", ["blog.paas.example", "example.org"]),
        ("domains_changed", "shop", []),
        ("domains_changed", "blog", ["blog.new.example", "example.org"]),
    ]


def test_a_change_goes_through_a_release(two, monkeypatch):
    seen = []

    def refuse(name, reason, edit=None, restart=True, force=False):
        seen.append((name, reason))
        raise errors.BadConfig("nginx says no")

    monkeypatch.setattr(api, "change", refuse)
    before = two.documents()
    assert two("domains:add", "blog", "example.org").status == 78
    assert seen == [("blog", "domains: added example.org")] and two.documents() == before


def test_a_global_change_reports_each_app(two, monkeypatch):
    seen = []

    def roll_out(name, reason, restart=True):
        seen.append(name)
        if name == "blog":
            raise errors.Locked("blog is locked by a push")

    monkeypatch.setattr(change, "change", roll_out)
    result = two("domains:set-global", "new.example")
    assert result.status == 1 and "blog: blog is locked" in result.err and "1 of 2 apps" in result.err
    assert seen == ["blog", "shop"]


def test_other_keys_and_comments_of_the_tables_survive(two):
    open_store().write("platform.toml", 'schema = 1\n[domains]\n# mine\nother = 1\nglobal = ["paas.example"]\n')
    two.ok("domains:add-global", "new.example")
    assert "# mine\nother = 1\n" in open_store().read("platform.toml").text
    open_store().write("apps/blog/app.toml", "[domains]\n# mine\nother = 1\n")
    two.ok("domains:set", "blog", "example.org")
    assert "# mine\nother = 1\n" in open_store().read("apps/blog/app.toml").text


def test_five_hundred_apps(two):
    for number in range(500):
        open_store().write(
            f"apps/a{number}/app.toml", f'[config]\nA = "1"\n\n[domains]\nnames = ["d{number}.example"]\n'
        )
    started = time.monotonic()
    two.ok("domains:add", "blog", "example.org")
    assert "belongs to app a77" in two("domains:add", "blog", "d77.example").err
    two.ok("domains:report")
    assert time.monotonic() - started < 5


def test_a_running_app_keeps_its_processes(fake, two):
    fake.deploy("blog")
    two.ok("domains:add", "blog", "example.org")
    assert fake.router.table["blog"].domains == ("blog.paas.example", "example.org")
    assert fake.routed("blog") == ["blog_v1.web.1"]
    two.ok("domains:set-global", "new.example")
    assert fake.router.table["blog"].domains == ("blog.new.example", "example.org")
    assert fake.routed("blog") == ["blog_v1.web.1"] and "shop" not in fake.router.table


def test_a_route_that_is_refused_changes_nothing(fake, two):
    fake.deploy("blog")
    before = two.ok("domains:report", "blog")
    fake.router.breaks["apply"] = errors.BadConfig("nginx says no")
    assert two("domains:add", "blog", "example.org").status == 78
    assert two.ok("domains:report", "blog") == before
    assert fake.router.table["blog"].domains == ("blog.paas.example",)


def test_one_app_of_the_host_is_the_default(two):
    routing = lambda app: compose.routing(apps.load(app), "")  # noqa: E731
    assert "default" not in routing("blog")
    two.ok("domains:set-default", "blog")
    assert routing("blog")["default"] is True and "default" not in routing("shop")
    assert two.ok("domains:report", "--global", "--domains-default-app") == "blog\n"
    assert two.ok("domains:report", "blog", "--domains-app-default") == "true\n"
    assert json.loads(two.ok("domains:report", "shop", "--format", "json"))["domains-app-default"] is False
    assert "already" in two("domains:set-default", "blog").err
    assert "domains:unset-default blog" in two.refused("domains:set-default", "shop")
    assert "domains:unset-default blog" in two.refused("domains:unset-default", "shop")
    two.ok("domains:add", "blog", "example.org")
    two.ok("domains:reset", "blog")
    assert routing("blog")["default"] is True, "its own domains are another matter"
    two.ok("domains:unset-default", "blog")
    assert (
        "domains" not in apps.load("blog").document
        and two.ok("domains:report", "--global", "--domains-default-app") == "\n"
    )
    assert "domains:set-default shop" in two.refused("domains:unset-default", "shop")


def test_the_default_app_is_renamed_cloned_destroyed_and_restored(two, fake):
    two.ok("domains:set-default", "blog")
    fake.deploy("blog")
    two.ok("apps:rename", "blog", "journal")
    assert fake.router.table["journal"].default and "blog" not in fake.router.routes()
    two.ok("apps:clone", "journal", "copy")
    assert not fake.router.table["copy"].default
    two.ok("apps:destroy", "journal", "--force")
    two.ok("domains:set-default", "shop")
    assert "domains:unset-default shop" in two.refused("apps:restore", "journal")
    two.ok("domains:unset-default", "shop")
    two.ok("apps:restore", "journal")
    assert fake.router.table["journal"].default


def test_a_rollback_does_not_make_a_second_default(two, fake):
    two.ok("domains:set-default", "blog")
    fake.deploy("blog")
    two.ok("domains:unset-default", "blog")
    two.ok("domains:set-default", "shop")
    assert "domains:unset-default shop" in two("releases:rollback", "blog", "v1", "--all").err
    assert not fake.router.table["blog"].default


def test_an_app_without_a_domain_is_not_called_unreachable_where_it_is_the_default(two, fake):
    fake.deploy("blog")
    two.ok("domains:set-default", "blog")
    said = two("domains:clear", "blog").err
    assert "blog has no domain of its own any more" in said and "reaches" not in said
    assert fake.router.table["blog"].default
    assert "no domain or no route" in two.refused("urls", "blog")


def withheld(fake):
    return {app: (route.withheld, list(route.domains)) for app, route in fake.router.withheld.items()}


def test_a_name_is_the_app_s_own_from_the_moment_it_is_given(two, fake):
    two.ok("apps:create", "late")
    assert withheld(fake)["late"] == ("not-deployed", ["late.paas.example"])
    two.ok("domains:add", "late", "example.org")
    assert withheld(fake)["late"] == ("not-deployed", ["example.org", "late.paas.example"])
    two.ok("domains:set-global", "other.example")
    assert withheld(fake)["late"] == ("not-deployed", ["example.org", "late.other.example"])
    two.ok("domains:clear", "late")
    assert withheld(fake)["late"] == ("not-deployed", [])
    two.ok("apps:rename", "late", "soon")
    assert "late" not in fake.router.routes() and withheld(fake)["soon"][0] == "not-deployed"
    two.ok("apps:destroy", "soon", "--force")
    assert "soon" not in fake.router.routes()
    two.ok("apps:restore", "soon")
    assert withheld(fake)["soon"][0] == "not-deployed"


def test_a_first_deploy_that_fails_and_one_that_does_not(two, fake):
    two.ok("domains:add", "blog", "example.org")
    fake.scheduler.crashing = {"web"}
    with pytest.raises(errors.DeployFailed):
        fake.deploy("blog")
    assert withheld(fake)["blog"] == ("not-deployed", ["blog.paas.example", "example.org"]) and fake.router.table == {}
    fake.scheduler.crashing = set()
    fake.deploy("blog")
    assert "blog" not in fake.router.withheld and fake.router.table["blog"].domains == (
        "blog.paas.example",
        "example.org",
    )


def test_a_switch_that_fails_at_the_first_deploy_gives_the_names_back(two, fake):
    fake.router.breaks["apply"] = errors.BadConfig("nginx refuses")
    with pytest.raises(errors.BadConfig):
        fake.deploy("blog")
    assert withheld(fake)["blog"] == ("not-deployed", ["blog.paas.example"]) and fake.scheduler.names() == []


def test_a_domain_of_a_stopped_app_answers_for_it_at_once(two, fake):
    fake.deploy("blog")
    two.ok("ps:stop", "blog")
    two.ok("domains:add", "blog", "example.org")
    assert fake.router.table["blog"].state == "no-web" and "example.org" in fake.router.table["blog"].domains


def test_a_router_that_does_not_answer_keeps_no_app_from_being_made(two, fake):
    fake.router.breaks["apply"] = errors.Unavailable("nginx is not running")
    made = two("apps:create", "late")
    assert made.status == 0 and "ps:restore late" in made.err
    two.ok("ps:restore", "late")
    assert withheld(fake)["late"][0] == "not-deployed"


def test_config_of_an_app_that_is_not_deployed_asks_no_router(two, fake):
    fake.router.calls.clear()
    two.ok("config:set", "blog", "A=1")
    two.ok("ps:scale", "blog", "web=2")
    assert fake.router.calls == []

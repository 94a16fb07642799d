"""How much may be set of an app: refused at once, and never at the next deploy."""

import time

import pytest

from minipaas_lib import errors, names
from minipaas_lib.records import apps, releases


@pytest.fixture
def blog(world, fake):
    world.ok("apps:create", "blog")
    fake.deploy("blog")
    return fake


def lines(count: int, size: int = 1, prefix: str = "V") -> str:
    return "".join(f"{prefix}{number}={'x' * size}\n" for number in range(count))


@pytest.mark.parametrize("words", [("--no-restart", "blog"), ("blog",), ("--global",)])
@pytest.mark.parametrize(
    ("count", "size", "said"), [(1001, 1, "the limit is 1,000"), (9, 110_000, "for all variables together")]
)
def test_config_that_is_too_large_is_refused_when_it_is_set(world, blog, words, count, size, said):
    assert said in world.refused("config:import", *words, stdin=lines(count, size))


def test_a_thousand_variables_are_set_quickly_and_a_release_of_the_largest_config_can_be_made(world, blog):
    began = time.monotonic()
    world.ok("config:import", "blog", stdin=lines(1000, 200))
    assert time.monotonic() - began < 10
    world.ok("config:import", "--global", stdin=lines(60, 900, "G"))
    world.ok("domains:add", "blog", *(f"{'d' * 10}{number}.example.org" for number in range(1000)))
    world.ok("config:set", "blog", "V0=changed")
    assert releases.live("blog").config["V0"] == "changed" and len(releases.live("blog").config) >= 1060


def test_one_more_at_a_time_ends_at_the_limit_too(world, blog):
    world.ok("config:import", "--no-restart", "blog", stdin=lines(2, 120_000))
    assert "the limit is 256 KiB" in world.refused("config:set", "--no-restart", "blog", f"MORE={'x' * 30_000}")


def test_what_an_earlier_version_let_in_can_be_made_smaller(world, blog):
    apps.edit_platform(lambda document: None)
    from minipaas_lib.store import documents, open_store

    documents.edit(
        open_store(),
        "apps/blog/app.toml",
        lambda document: document.update(config={f"V{n}": "x" * 110_000 for n in range(8)}),
    )
    assert "the limit is" in world.refused("config:set", "blog", "A=1")
    world.ok("config:unset", "--no-restart", "blog", "V0", "V1")
    world.ok("config:unset", "blog", *(f"V{n}" for n in range(2, 7)))
    assert list(releases.live("blog").config) == ["GIT_REV", "V7"]


def test_app_json_keeps_to_it_too():
    with pytest.raises(errors.UsageError, match="the limit is 1,000"):
        names.whole_config({f"V{n}": "" for n in range(1001)}, {})


def test_all_that_is_set_of_an_app_has_a_limit_whoever_sets_it(world, blog):
    with pytest.raises(errors.UsageError, match="the limit is 400,000"):
        apps.edit("blog", lambda document: document.update(plugin={"x": ["y" * 100] * 5000}))
    assert "plugin" not in apps.load("blog").document


def test_domains_have_a_limit_and_five_thousand_are_given_quickly(world, blog):
    many = [f"d{number}.example.org" for number in range(5001)]
    assert "the limit is 5,000" in world.refused("domains:add", "blog", *many)
    assert "the limit is 100" in world.refused("domains:add-global", *many[:101])
    world.ok("apps:create", "shop")
    began = time.monotonic()
    world.ok("domains:add", "blog", *many[:5000])
    world.ok("domains:add", "shop", *(f"shop-{name}" for name in many[:4999]))
    assert "belongs to app blog" in world.refused("domains:add", "shop", many[4000])
    world.ok("domains:remove", "blog", *many[:4999])
    assert time.monotonic() - began < 20  # it was minutes
    assert "and 4,989 more" in releases.live("blog").reason and len(releases.live("blog").reason) < 1000


def test_a_name_inside_another_is_another_name(world, blog):
    world.ok("apps:create", "shop")
    world.ok("domains:add", "blog", "myblog.example.org")
    world.ok("domains:add", "shop", "blog.example.org")

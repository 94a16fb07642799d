import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.deploy import change
from minipaas_lib.records import apps, releases
from plugins.config import change as config_change


@pytest.fixture
def blog(world):
    world.ok("apps:create", "blog")
    return world


@pytest.fixture
def reasons(monkeypatch):
    """The calls of api.change, which is tested elsewhere."""
    from minipaas_lib import api

    calls = []

    def record(name, reason, edit=None, restart=True, force=False):
        calls.append((name, reason, restart))
        return change.change(name, reason, edit, restart, force)

    monkeypatch.setattr(api, "change", record)
    return calls


def test_set_get_unset(blog, reasons):
    blog.ok("config:set", "blog", "A=1", "B=a b", "C=")
    assert blog.ok("config:get", "blog", "B") == "a b\n"
    assert blog.ok("config:get", "blog", "B", "--quoted") == "'a b'\n"
    assert blog.ok("config:keys", "blog") == "A\nB\nC\n"
    blog.ok("config:set", "blog", "A=2", "B=a b", "D=4", "--no-restart")
    blog.ok("config:unset", "blog", "A", "C")
    assert json.loads(blog.ok("config:show", "blog", "--format", "json")) == {"B": "a b", "D": "4"}
    assert reasons == [
        ("blog", "config: added A B C", True),
        ("blog", "config: added D, changed A", False),
        ("blog", "config: removed A C", True),
    ]


def test_what_is_so_already_is_no_change(blog, reasons):
    blog.ok("config:set", "blog", "A=1")
    before = blog.documents()
    again = blog("config:set", "blog", "A=1")
    assert again.status == 0 and "config of blog is unchanged" in again.err
    gone = blog("config:unset", "blog", "NOPE")
    assert gone.status == 0 and "blog has no NOPE" in gone.err and "config of blog is unchanged" in gone.err
    blog.ok("config:import", "blog", stdin="A=1")
    assert blog.documents() == before and len(reasons) == 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_values_survive(blog, value):
    blog.ok("config:set", "blog", f"A={value}")
    assert blog.ok("config:get", "blog", "A") == value + "\n"
    for form in ("env", "shell", "json"):
        text = blog.ok("config:export", "blog", "--format", form)
        blog.ok("config:clear", "blog")
        blog.ok("config:import", "blog", "-", stdin=text)
        assert apps.load("blog").config == {"A": value}


def test_values_are_never_printed_by_what_changes_them(blog):
    calls = [
        ["config:set", "blog", "A=s3cret"],
        ["config:set", "blog", "A=s3cret"],
        ["config:set", "--global", "A=s3cret"],
        ["config:set", "blog", "A=1", "s3cret\0"],
        ["config:set", "blog", "1A=s3cret"],
        ["config:unset", "blog", "A"],
        ["config:clear", "--global"],
    ]
    results = [blog(*arguments) for arguments in calls]
    assert not any("s3cret" in result.out + result.err for result in results)


def test_stdin(blog):
    blog.ok("config:set", "blog", "-", stdin="# keys\nexport A=1\nB='two\nlines'\n")
    assert apps.load("blog").config == {"A": "1", "B": "two\nlines"}
    blog.ok("config:set", "blog", "-", stdin='{"C": 3}')
    assert apps.load("blog").config["C"] == "3"
    blog.ok("config:set", "blog", "--encoded", "-", stdin="D=aMOp")
    assert apps.load("blog").config["D"] == "hé"


@pytest.mark.parametrize(
    "words, stdin",
    [
        ([], b""),
        (["=x"], b""),
        (["1A=x"], b""),
        (["A=\0"], b""),
        (["A=1", "b c"], b""),
        (["A"], b""),
        (["A=1", "A=2"], b""),
        (["MINIPAAS_X=1"], b""),
        (["A=\udcff"], b""),
        (["--encoded", "A=*"], b""),
        (["-"], b""),
        (["-"], b"\xff"),
        (["-"], b"A=\0"),
        (["-"], b"no pair"),
        (["-", "A=1"], b"B=1"),
        (["-"], b"A=" + b"x" * 2_000_000),
        (["A=" + "x" * 200_000], b""),
    ],
)
def test_bad_config(blog, words, stdin):
    blog.refused("config:set", "blog", *words, stdin=stdin)
    blog.refused("config:set", "--global", *words, stdin=stdin)


@pytest.mark.parametrize("command", ["config", "config:show", "config:keys", "config:export", "config:clear"])
def test_bad_targets(blog, command):
    blog.refused(command)
    blog.refused(command, "nope")
    blog.refused(command, "Blog")
    blog.refused(command, "blog", "shop")
    blog.refused(command, "--global", "blog")


def test_get_of_what_is_not_there(blog):
    assert blog("config:get", "blog", "A").status == 1
    blog.refused("config:get", "blog")
    blog.refused("config:get", "blog", "A", "B")
    blog.refused("config:get", "blog", "1A")


def test_the_app_wins_over_global(blog):
    blog.ok("config:set", "--global", "A=everyone", "B=everyone")
    blog.ok("config:set", "blog", "A=blog")
    assert blog.ok("config:get", "blog", "A", "--merged") == "blog\n"
    assert blog.ok("config:get", "--global", "A") == "everyone\n"
    assert blog("config:get", "blog", "B").status == 1
    assert blog.ok("config:keys", "blog", "--merged", "--format", "json") == '[\n  "A",\n  "B"\n]\n'
    assert blog.ok("config", "blog", "--merged") == "=====> blog env vars\nA: blog\nB: everyone\n"
    assert blog.ok("config:show", "--global") == "=====> global env vars\nA: everyone\nB: everyone\n"


def test_show_keeps_a_value_on_its_line(blog):
    blog.ok("config:set", "blog", "LONG_NAME=x", "A=two\nlines\x1b[31m")
    assert blog.ok("config:show", "blog") == '=====> blog env vars\nA:         "two\\nlines\\u001b[31m"\nLONG_NAME: x\n'


def test_import_of_a_file(blog, tmp_path):
    (tmp_path / "blog.env").write_text("A=1\nB=2\n")
    blog.ok("config:set", "blog", "C=3")
    blog.ok("config:import", "blog", "blog.env")
    assert apps.load("blog").config == {"A": "1", "B": "2", "C": "3"}
    blog.ok("config:import", "blog", str(tmp_path / "blog.env"), "--replace")
    assert apps.load("blog").config == {"A": "1", "B": "2"}
    assert "cannot be given by its name" in blog.refused("config:import", "blog", "/etc/passwd", key="anna")
    blog.refused("config:import", "blog", "nothing.env")
    blog.refused("config:import", "blog", "a\0b")
    blog.refused("config:import", "blog", str(tmp_path))


def test_a_global_change_goes_to_each_app(blog, monkeypatch):
    blog.ok("apps:create", "shop")
    seen = []

    def roll_out(name, reason, restart=True):
        seen.append((name, reason))
        if name == "blog":
            raise errors.DeployFailed("blog crashed at once")

    monkeypatch.setattr(change, "change", roll_out)
    result = blog("config:set", "--global", "A=1")
    assert seen == [("blog", "global config: added A"), ("shop", "global config: added A")]
    assert result.status == 1 and "blog: blog crashed at once" in result.err and "1 of 2 apps" in result.err
    assert blog("config:set", "--global", "B=1", "--no-restart").status == 0
    assert len(seen) == 2


def test_the_hook_is_told(blog, monkeypatch):
    from minipaas_lib import api

    told = []
    monkeypatch.setattr(api, "notify", lambda hook, app, names: told.append((hook, app and app.name, names)))
    blog.ok("config:set", "blog", "B=1", "A=1")
    blog.ok("config:set", "blog", "A=1")
    blog.ok("config:unset", "blog", "B")
    blog.ok("config:set", "--global", "G=1")
    assert told == [
        ("config_changed", "blog", ["A", "B"]),
        ("config_changed", "blog", ["B"]),
        ("config_changed", None, ["G"]),
    ]


def test_comments_in_the_document_survive(blog):
    from minipaas_lib.store import open_store

    open_store().write("apps/blog/app.toml", 'created = "x"  # mine\n\n[config]\n# why\nA = "1"\n')
    blog.ok("config:set", "blog", "B=2")
    text = open_store().read("apps/blog/app.toml").text
    assert "# mine" in text and "# why" in text and 'B = "2"' in text


def test_describe_counts_many():
    new = {f"N{number:02}": "" for number in range(13)}
    assert config_change.describe({}, new, []).endswith("N08 N09 and 3 more")


def test_a_running_app_gets_a_release(fake, blog):
    fake.deploy("blog")
    blog.ok("config:set", "blog", "A=1")
    live = releases.live("blog")
    assert (live.number, live.config["A"], live.reason) == (2, "1", "config: added A")
    assert fake.routed("blog") == ["blog_v2.web.1"]
    blog.ok("config:set", "blog", "A=1")
    waiting = blog("config:set", "blog", "B=1", "--no-restart")
    assert "ps:restart blog" in waiting.err and releases.live("blog").number == 2
    blog.ok("config:set", "--global", "C=1")
    assert {"A": "1", "B": "1", "C": "1"}.items() <= releases.live("blog").config.items()


def test_a_failed_deploy_changes_nothing(fake, blog):
    fake.deploy("blog")
    blog.ok("config:set", "blog", "A=1")
    fake.scheduler.crashing.add("web")
    failed = blog("config:set", "blog", "A=2", "B=1")
    assert failed.status == 1 and apps.load("blog").config == {"A": "1"}
    assert fake.routed("blog") == ["blog_v2.web.1"]
    everyone = blog("config:set", "--global", "C=1")
    assert everyone.status == 1 and "1 of 1 apps" in everyone.err and fake.routed("blog") == ["blog_v2.web.1"]


def test_a_port_that_no_deploy_takes_is_refused_when_it_is_set(world):
    world.ok("apps:create", "blog")
    for value in ("abc", "0", "99999", "80 ", "²"):
        assert "is not a port" in world.refused("config:set", "blog", f"PORT={value}")
        assert "config:set --global PORT=5000" in world.refused("config:set", "--global", f"PORT={value}")
    world.ok("config:set", "blog", "PORT=8080")
    world.ok("config:set", "blog", "PORT=")

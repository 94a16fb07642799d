"""What a line means that is no command as it stands: words of Dokku and Heroku, -a, nouns alone, words too many."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import cli, well_known, words
from minipaas_lib.bus import catalog

KNOWN = sorted(name for name, entry in catalog.build(catalog.own()).commands.items() if not entry.hidden)
DESTROYS = re.compile(r":(destroy|remove|unset|clear|disable|prune|rollback|undo|uninstall|stop|purge)")


@pytest.fixture
def blog(fake, world):
    world.ok("apps:create", "blog")
    fake.deploy("blog", {"web": "", "worker": "work"})
    return world


# words of others ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", sorted(well_known.WORDS))
def test_the_table_leads_only_to_what_there_is(word):
    why, hint = well_known.WORDS[word]
    first = hint.split()[0]
    assert first in KNOWN or first in ("git", "help") or hint.startswith("on the host: sudo "), hint
    assert word not in KNOWN and (word not in well_known.nouns(KNOWN) or word == "deploy"), "it exists"
    if first == "help":
        assert hint.split()[1] in KNOWN
    assert not DESTROYS.search(first) and "\n" not in why and not why.endswith(".")


@pytest.mark.parametrize(
    "typed, says, hint",
    [
        ("storage:mount", "apps have no storage yet", "config:set"),
        ("cron:run", "no scheduled commands yet", "run <app>"),
        ("postgres:create", "minipaas does not run datastores yet", "config:set <app> DATABASE_URL=..."),
        ("letsencrypt:enable", "no HTTPS yet", "urls <app>"),
        ("logs:tail", "followed with -t", "logs -t <app>"),
        ("ps:exec", "enter", "enter <app>"),
        ("config:add", "config variables are set", "config:set <app>"),
        ("addons", "datastores", "config:set"),
        ("pg:psql", "datastores", "config:set"),
        ("certs:add", "no HTTPS", "urls"),
        ("network:create", "minipaas itself creates", "ports:report"),
        ("resource:limit", "no memory and CPU limits", "ps:scale"),
        ("maintenance:on", "no maintenance mode", "ps:report"),
        ("default:set", "unknown names", "help domains:set-default"),
        ("domains:list", "a report", "domains:report <app>"),
        ("scale", "ps:scale", "ps:scale <app>"),
        ("exec", "enter", "enter"),
    ],
)
def test_words_of_others_are_answered(world, typed, says, hint):
    said = world.refused(typed, "blog", "--any=thing")
    assert f'there is no command "{typed}"' in said and says in said.replace("\n", " ") and hint in said


@pytest.mark.parametrize(
    "typed, guess",
    [
        ("apps:crate", "apps:create"),
        ("config:sett", "config:set"),
        ("aps:list", "apps:list"),
        ("domain:add", "domains:add"),
        ("cofnig:show", "config:show"),
        ("releses", "releases"),
        ("ps:scales", "ps:scale"),
    ],
)
def test_a_slip_is_told(world, typed, guess):
    assert f"did you mean {guess}?" in world.refused(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "apps:destory",
        "domains:remov",
        "config:unsett",
        "tags:unse",
        "releases:rollbak",
        "builds:prun",
        "wonders:set",
        "mnt:add",
        "checks:disabl",
        "frobnicate",
    ],
)
def test_nothing_that_takes_away_is_guessed(world, typed):
    said = world.refused(typed)
    assert "did you mean" not in said and not DESTROYS.search(said.replace(typed, ""))


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
    | st.builds(
        lambda noun, verb: f"{noun}:{verb}",
        st.sampled_from(sorted(well_known.nouns(KNOWN)) + ["x", "storage"]),
        st.sampled_from(
            ["destroy", "unset", "clear", "remov", "st", "prune", "rollback", "disable", "unmount", "lst", "run"]
        ),
    )
)
def test_no_word_at_all_is_guessed_to_be_one_that_takes_away(word):
    if word in KNOWN:
        return
    error = well_known.error(word, KNOWN)
    assert not DESTROYS.search(error.hint) and error.hint.isprintable() and error.exit_code == 2
    guess = re.fullmatch(r"did you mean (\S+)\?", error.hint)
    assert not guess or guess[1] in KNOWN or guess[1] in well_known.nouns(KNOWN)


def test_the_table_is_not_read_for_commands_that_exist(world):
    import subprocess
    import sys

    code = (
        "import sys; from minipaas_lib import dispatch; dispatch.run(['apps:list']); "
        "print('minipaas_lib.well_known' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.endswith("False\n")


# nouns, and words too many --------------------------------------------------------------------------------------------


def test_a_noun_with_an_app_is_its_report(blog):
    for noun in ("ps", "ports", "domains", "apps", "checks", "git", "nginx", "tags", "proxy", "buildpacks", "registry"):
        said = blog.ok(noun, "blog")
        assert said == blog.ok(f"{noun}:report", "blog") and said.startswith("=====> blog")
        assert "there is no app" in blog.refused(noun, "blgo")
    assert blog.ok("builds", "blog") == blog.ok("builds:list", "blog")
    assert blog.ok("domains", "--global") == blog.ok("domains:report", "--global")
    assert blog.ok("plugin", "config") == blog.ok("plugin:info", "config")


@pytest.mark.parametrize(
    "line, hint",
    [
        ("git push", "git push paas@<host>:<app> main"),
        ("git push paas main", "git push paas@<host>:<app> main"),
        ("git clone x", "git push"),
        ("ps scale blog web=2", "ps:scale blog web=2"),
        ("apps create shop", "apps:create shop"),
        ("apps destroy blog", "apps:destroy blog"),
        ("ps exec blog", "enter <app>"),
        ("deploy blog", "help deploy"),
        ("cluster blog", "help cluster"),
        ("help x y z", "help"),
        ("--version x", "version"),
        ("version x", "version"),
        ("-h x y", "help"),
        ("apps:help blog", "help"),
        ("ps --help blog", "help"),
        ("ps blog shop", "ps:report"),
        ("apps:list x", "apps:list"),
        ("ps:report --global", "ps:report <app>"),
        ("apps:report --global blog", "apps:report blog"),
        ("config:show --global --merged", "config:show"),
        ("-a blog", "help"),
        ("--trace", "help"),
    ],
)
def test_nothing_is_ignored(blog, line, hint):
    said = blog.refused(*line.split())
    assert hint in said
    assert blog(*line.split()).status == 2


def test_no_command_takes_a_word_too_many(blog):
    """Every command whose arguments are counted refuses one more."""
    import click

    for name, entry in catalog.build(catalog.own()).commands.items():
        if entry.host or name == "git:pre-receive":
            continue
        command = cli.load(name, entry.plugin)
        arguments = [p for p in command.params if isinstance(p, click.Argument)]
        if all(p.nargs == 1 for p in arguments):
            assert blog(name, *["blog"] * (len(arguments) + 1)).status == 2, name


# -a -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "-a blog ps:scale web=2",
        "--app blog ps:scale web=2",
        "--app=blog ps:scale web=2",
        "-ablog ps:scale web=2",
        "ps:scale -a blog web=2",
        "ps:scale web=2 -a blog",
        "ps:scale web=2 --app=blog",
        "ps:scale --app blog web=2",
        "--trace -a blog ps:scale web=2",
        "ps:scale -a blog web=2 --app blog",
    ],
)
def test_the_app_is_named_anywhere(blog, line):
    blog.ok(*line.split())
    assert blog.ok("ps:scale", "blog") == "web=2\nworker=0\n"


@pytest.mark.parametrize(
    "line, as_typed",
    [
        ("config:set -a blog A=1", "config:set blog A=1"),
        ("config:get A -a blog", "config:get blog A"),
        ("urls -a blog", "urls blog"),
        ("ps:report -a blog --running", "ps:report blog --running"),
        ("report --app blog", "report blog"),
        ("apps:info -a blog", "apps:info"),
        ("releases:info v1 -a blog", "releases:info blog v1"),
        ("ps:restart -a blog", "ps:restart blog"),
        ("checks:set -a blog wait-to-retire 5", "checks:set blog wait-to-retire 5"),
        ("logs:failed -a blog", "logs:failed blog"),
        ("apps:clone blog --skip-deploy -a blog", "apps:clone blog blog --skip-deploy"),
        ("-a blog ps", "ps blog"),
        ("-a blog domains", "domains blog"),
        ("-a blog help", "help --app blog"),
        ("registry:logout -a blog ghcr.io", "registry:logout blog ghcr.io"),
    ],
)
def test_a_line_with_a_flag_does_what_the_one_without_does(blog, line, as_typed):
    by_flag, by_place = blog(*line.split()), blog(*as_typed.split())
    assert (by_flag.status, by_flag.out) == (by_place.status, by_place.out), by_flag.err


@pytest.mark.parametrize(
    "line",
    [
        "ps:report -a blog shop",
        "logs -a blog shop",
        "ps:scale -a blog shop web=1",
        "config:set -a blog shop A=1",
        "config:get -a blog shop A",
        "config:show shop -a blog",
        "urls shop -a blog",
        "-a blog urls -a shop",
        "-a blog --app shop urls",
        "config:unset -a blog blog A",
        "config:set --global -a blog A=1",
        "ps:restart --all -a blog",
        "domains:add -a blog blog x.example",
        "apps:list -a blog",
        "urls -a",
        "-a",
        "config:set -a '' A=1",
    ],
)
def test_two_apps_are_no_app(blog, line):
    blog.ok("apps:create", "shop")
    blog.refused(*line.replace("''", "").split())
    assert blog(*line.split()).status == 2


@pytest.mark.parametrize(
    "line, command",
    [
        ("run blog ls -a victim", ("ls", "-a", "victim")),
        ("run -a blog ls -a", ("ls", "-a")),
        ("-a blog run ls --app x", ("ls", "--app", "x")),
        ("run blog -a x", ("-a", "x")),
        ("run blog -- ls -a", ("ls", "-a")),
        ("run -- blog ls", ("ls",)),
        ("run blog -- -- x", ("--", "x")),
        ("run -a blog -- ls", ("ls",)),
        ("run blog ls -- -l", ("ls", "--", "-l")),
    ],
)
def test_what_run_passes_on_stays_as_it_is(blog, fake, monkeypatch, line, command):
    ran = []
    monkeypatch.setattr(fake.scheduler, "run", lambda spec, **how: ran.append((spec.app, spec.command)) or 0)
    blog.ok(*line.split())
    assert ran == [("blog", command)]


def test_the_flag_of_heroku_after_a_command_that_is_run(blog):
    assert "run -a blog bash" in blog.refused("run", "bash", "-a", "blog")
    assert "run:detached -a blog bash" in blog.refused("run:detached", "bash", "--app=blog")
    assert "there is no app" in blog.refused("run", "bash", "-l")
    assert "after --" in blog.refused("run", "blog", "--")


def test_two_dashes_before_what_enter_runs():
    from plugins.enter import choice

    for typed in (("web.1", ("--", "ps", "-a")), ("web.1", ("ps", "-a"))):
        assert choice.process_and_command(*typed) == ("web.1", ("ps", "-a"))
    assert choice.process_and_command("--", ("ps", "-a")) == (None, ("ps", "-a"))
    assert choice.process_and_command(None, ()) == (None, ())


@given(st.lists(st.sampled_from(["-a", "--app", "--app=x", "--trace", "blog", "run", "ls"]), max_size=6))
def test_the_command_comes_first_and_no_word_is_lost(line):
    first = words.command_first(line)
    assert sorted(first) == sorted(line) and words.command_first(first) == first
    assert not first or first == line or not words.is_before(first[0])


# no app ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line, hint",
    [
        ("ps:scale web=1", "ps:scale <app> web=1"),
        ("config:set A=secret", "config:set <app> A=..."),
        ("config:get DATABASE_URL", "config:get <app> DATABASE_URL"),
        ("domains:add example.org", "domains:add <app> example.org"),
        ("ports:add http:80:5000", "ports:add <app> http:80:5000"),
        ("tags:set disk=ssd", "tags:set <app> disk=..."),
        ("run ./manage.py migrate", "run <app> ./manage.py"),
        ("ps:scale", "ps:scale"),
        ("config:set", "config:set --help"),
        ("config", "config --help"),
    ],
)
def test_a_forgotten_app_is_told(blog, line, hint):
    said = blog.refused(*line.split())
    assert hint in said and "secret" not in said and blog(*line.split()).status == 2

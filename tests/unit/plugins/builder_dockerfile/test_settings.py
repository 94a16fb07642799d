import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from plugins.builder_dockerfile import hooks, settings


def test_build_args_are_sorted_names():
    assert settings.parse("build-args", "B, A,B") == ["A", "B"]


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "path",
        "HOME",
        "LD_PRELOAD",
        "DOCKER_HOST",
        "BUILDKIT_HOST",
        "MINIPAAS_ROOT",
        "GIT_DIR",
        "",
        "A B",
        "1A",
        "A=x",
        "A\n",
    ],
)
def test_build_args_that_are_refused(name):
    with pytest.raises(errors.UsageError):
        settings.parse("build-args", name + ",OK" if name.strip() == name else name)


def test_paths():
    assert settings.parse("dockerfile-path", "docker/web.Dockerfile") == "docker/web.Dockerfile"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a\nb", "x" * 256])
def test_paths_that_are_refused(path):
    with pytest.raises(errors.UsageError):
        settings.parse("dockerfile-path", path)


def test_an_unknown_property_is_told_the_known_ones():
    with pytest.raises(errors.UsageError) as caught:
        settings.parse("colour", "x")
    assert caught.value.hint == "one of: dockerfile-path, build-args, target, secrets, no-cache, timeout"


@given(st.sampled_from(settings.PROPERTIES), st.text())
def test_any_value_is_answered(name, value):
    try:
        settings.parse(name, value)
    except errors.UsageError as error:
        assert "\n" not in error.message


def test_secrets_may_have_names_that_would_steer_the_client_as_build_arguments():
    assert settings.parse("secrets", "DOCKER_HOST,A") == ["A", "DOCKER_HOST"]
    with pytest.raises(errors.UsageError):
        settings.parse("secrets", "A B")


@pytest.mark.parametrize(("text", "seconds"), [("1", 1), ("90s", 90), ("45m", 2700), ("24h", 86400), ("86400", 86400)])
def test_times(text, seconds):
    assert settings.parse("timeout", text) == seconds


@pytest.mark.parametrize("text", ["0", "-1", "25h", "86401", "1d", "m", "1.5h", "1\n", "９", "1e3"])
def test_times_that_are_refused(text):
    with pytest.raises(errors.UsageError):
        settings.parse("timeout", text)


def test_spans():
    assert [settings.span(s) for s in (0.5, 90, 120, 121, 1800)] == [
        "0.5 seconds",
        "90 seconds",
        "2 minutes",
        "121 seconds",
        "30 minutes",
    ]


@given(st.text())
def test_a_stage_is_a_plain_word(text):
    try:
        assert (
            settings.parse("target", text) == text and text.isascii() and not text.startswith("-") and " " not in text
        )
    except errors.UsageError:
        pass


def test_no_cache_is_true_or_false():
    assert settings.parse("no-cache", "true") is True and settings.parse("no-cache", "false") is False
    with pytest.raises(errors.UsageError):
        settings.parse("no-cache", "yes")


def test_what_holds_for_all_apps_and_what_one_says_instead(world, tmp_path):
    world.ok("apps:create", "blog")
    world.ok("builder-dockerfile:set", "--global", "dockerfile-path", "docker/File")
    world.ok("builder-dockerfile:set", "--global", "no-cache", "true")
    world.ok("builder-dockerfile:set", "--global", "timeout", "1h")
    blog = api.app("blog")
    assert (settings.dockerfile_path(blog), settings.no_cache(blog), settings.timeout(blog)) == (
        "docker/File",
        True,
        3600,
    )
    assert hooks.detect_builder(blog, str(tmp_path)) is None, "a repository without it is for other builders"
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/File").write_text("FROM scratch\n")
    assert hooks.detect_builder(blog, str(tmp_path)) == "dockerfile: there is a docker/File"
    world.ok("builder-dockerfile:set", "blog", "no-cache", "false")
    world.ok("builder-dockerfile:set", "blog", "timeout", "90s")
    world.ok("builder-dockerfile:set", "--global", "dockerfile-path")
    blog = api.app("blog")
    assert (settings.dockerfile_path(blog), settings.no_cache(blog), settings.timeout(blog)) == (
        "Dockerfile",
        False,
        90,
    )
    assert "3600" in world.ok("builder-dockerfile:report", "--global") and "3600" in world.ok(
        "builder-dockerfile:report", "blog"
    )
    for words in (
        ["--global", "target", "x"],
        ["--global", "secrets", "A"],
        ["--global", "build-args"],
        ["blog"],
        ["--global"],
        ["blog", "timeout", "1h", "x"],
    ):
        world.refused("builder-dockerfile:set", *words)


def test_secrets_that_the_config_has_not_are_refused_when_they_are_set_and_stay_while_they_are(world):
    world.ok("apps:create", "blog")
    assert "first: config:set blog NPM_TOKEN=..." in world.refused(
        "builder-dockerfile:set", "blog", "secrets", "NPM_TOKEN"
    )
    world.ok("config:set", "--global", "OTHER=1")
    world.ok("config:set", "blog", "NPM_TOKEN=1")
    world.ok("builder-dockerfile:set", "blog", "secrets", "NPM_TOKEN,OTHER")
    assert "builds of blog use NPM_TOKEN" in world.refused("config:unset", "blog", "NPM_TOKEN")
    world.ok("config:set", "blog", "NPM_TOKEN=2")
    world.ok("builder-dockerfile:set", "blog", "secrets")
    world.ok("config:unset", "blog", "NPM_TOKEN")

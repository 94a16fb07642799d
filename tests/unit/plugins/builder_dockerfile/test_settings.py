import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.builder_dockerfile import settings


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
        settings.parse("target", "x")
    assert caught.value.hint == "one of: dockerfile-path, build-args"


@given(st.sampled_from(settings.PROPERTIES), st.text())
def test_any_value_is_answered(name, value):
    try:
        settings.parse(name, value)
    except errors.UsageError as error:
        assert "\n" not in error.message

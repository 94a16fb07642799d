import pytest

from minipaas_lib import errors
from minipaas_lib.model.process import Process
from plugins.enter import choice


def process(kind, index, state="running", release=1):
    return Process(f"blog_v{release}.{kind}.{index}", "blog", release, kind, index, state=state)


ALL = [
    process("bot", 1),
    process("web", 1, "exited"),
    process("web", 2),
    process("web", 2, release=2),
    process("web", 3),
]


@pytest.mark.parametrize(
    ("text", "name"),
    [(None, "blog_v2.web.2"), ("web", "blog_v2.web.2"), ("web.3", "blog_v1.web.3"), ("bot", "blog_v1.bot.1")],
)
def test_choose(text, name):
    assert choice.choose(text, ALL, "blog").name == name


@pytest.mark.parametrize("text", ["web.1", "web.4", "worker"])
def test_no_such_process(text):
    with pytest.raises(errors.NotFound) as caught:
        choice.choose(text, ALL, "blog")
    assert caught.value.hint == "one of: web.2 web.3 bot.1"


@pytest.mark.parametrize("text", ["", "web.", "../x", "web.1\n", "we b"])
def test_not_a_process(text):
    with pytest.raises(errors.UsageError):
        choice.choose(text, ALL, "blog")


def test_nothing_runs():
    with pytest.raises(errors.NotFound):
        choice.choose(None, [process("web", 1, "exited")], "blog")

import pytest

from minipaas_lib import errors
from minipaas_lib.model.process import ContainerSpec
from plugins.run import plan

COMMANDS = {"web": "serve", "worker": "work --hard"}
SPEC = ContainerSpec(
    "blog_v3.web.1", "blog", 3, "web", 1, "sha256:1", "serve", {"A": "1", "PORT": "5000"}, port=5000, memory=99
)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("ls", "-l", "a b"), ("ls", "-l", "a b")),
        (("ls",), ("ls",)),
        (("worker",), "work --hard"),
        (("worker", "x"), ("worker", "x")),
        (("echo $A | cat",), "echo $A | cat"),
    ],
)
def test_command(words, command):
    made = plan.one_off(SPEC, COMMANDS, words, {})
    assert made.command == command
    assert (made.name, made.process_type, made.port, made.memory) == ("blog_v3.run.1", "run", 0, 99)


def test_environment_of_the_run_wins():
    assert plan.one_off(SPEC, COMMANDS, ("env",), {"A": "2"}).environment == {"A": "2", "PORT": "5000"}


@pytest.mark.parametrize(
    ("words", "commands", "kind"),
    [
        (("worker",), COMMANDS, "worker"),
        (("ls",), COMMANDS, "web"),
        (("ls",), {"bot": ""}, "bot"),
        (("ls",), {}, "web"),
    ],
)
def test_process_type(words, commands, kind):
    assert plan.process_type(words, commands) == kind


def test_environment():
    assert plan.environment(("A=1", "B=x=y", "C=")) == {"A": "1", "B": "x=y", "C": ""}


@pytest.mark.parametrize("pair", ["A", "", "=x", "1A=x", "A B=x", "MINIPAAS_X=1", "A=\0"])
def test_bad_environment(pair):
    with pytest.raises(errors.UsageError):
        plan.environment((pair,))

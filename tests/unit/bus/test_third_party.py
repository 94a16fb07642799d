"""Which arguments an implementation from elsewhere is given, whatever kind of callable it is."""

import functools

import pytest

from minipaas_lib import api
from minipaas_lib.bus import third_party


def plain(app, release): ...


def positional(app, /, release): ...


def with_default(app, previous=None): ...


def with_all(app, *rest, **more): ...


def by_keyword(app, *, release=None): ...


@functools.wraps(plain)
def wrapped(*arguments, **named): ...


class Callable:
    def __call__(self, app): ...

    def method(self, app, release): ...


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (plain, ("app", "release")),
        (positional, ("app", "release")),
        (with_default, ("app",)),
        (with_all, ("app",)),
        (by_keyword, ("app",)),
        (wrapped, ("app", "release")),
        (functools.partial(plain, "blog"), ("release",)),
        (Callable(), ("app",)),
        (Callable().method, ("app", "release")),
    ],
)
def test_arguments_of_any_callable(function, arguments):
    assert third_party.arguments_of(function) == arguments


def test_an_argument_that_the_hook_has_not_is_named():
    marked = api.hookimpl(lambda app, colour: None)
    assert "wants colour, which this hook does not have" in third_party.signature_problem(
        marked, "after_deploy", ("app", "release")
    )
    assert third_party.signature_problem(api.hookimpl(plain), "after_deploy", ("app", "release", "previous")) == ""


def test_plain_functions_are_not_left_to_inspect(monkeypatch):
    monkeypatch.setattr(third_party.inspect, "signature", None)
    assert third_party.arguments_of(plain) == ("app", "release")
    assert third_party.signature_problem(api.hookimpl(plain), "after_deploy", ("app", "release")) == ""

"""The properties of nginx:set: what they may be, and that nothing else gets near nginx."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api
from plugins.router_nginx import settings


@pytest.mark.parametrize("name", settings.PROPERTIES)
def test_the_default_and_the_example_are_values(name):
    about = settings.PROPERTIES[name]
    assert settings.check(name, about.default) == about.default
    assert settings.check(name, about.example) == about.example


@pytest.mark.parametrize(
    ("name", "typed", "kept"),
    [
        ("client-max-body-size", "0", "0"),
        ("client-max-body-size", "100M", "100m"),
        ("client-max-body-size", "2g", "2g"),
        ("proxy-read-timeout", "1500ms", "1500ms"),
        ("proxy-buffering", "false", "off"),
        ("gzip", "TRUE", "on"),
        ("keepalive", "0", "0"),
        ("proxy-buffer-size", "512k", "512k"),
    ],
)
def test_values_are_kept_in_one_form(name, typed, kept):
    assert settings.check(name, typed) == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client-max-body-size", "1m\n"),
        ("client-max-body-size", "1m; root /"),
        ("client-max-body-size", "-1"),
        ("client-max-body-size", "1t"),
        ("client-max-body-size", "٣m"),
        ("proxy-read-timeout", "0"),
        ("proxy-read-timeout", "60 s"),
        ("proxy-read-timeout", "60s;}"),
        ("proxy-buffer-size", "513k"),
        ("proxy-buffer-size", "1k"),
        ("keepalive", "1000"),
        ("gzip", "maybe"),
        ("access-log", "/etc/passwd"),
        ("gzip", ""),
    ],
)
def test_other_values_are_refused_with_an_example(name, value):
    with pytest.raises(api.errors.UsageError) as caught:
        settings.check(name, value)
    assert settings.PROPERTIES[name].example in caught.value.hint


def test_an_unknown_property_is_answered_with_those_there_are():
    with pytest.raises(api.errors.UsageError) as caught:
        settings.check("access-log-path", "/x")
    assert "client-max-body-size" in caught.value.hint


@given(
    st.sampled_from(sorted(settings.PROPERTIES)),
    st.text(max_size=30) | st.from_regex("[0-9]+[kmgsh]?;?.?", fullmatch=True),
)
def test_no_value_that_passes_means_more_to_nginx_than_a_word(name, value):
    try:
        kept = settings.check(name, value)
    except api.errors.UsageError:
        return
    assert re.fullmatch("[a-z0-9]+", kept)


def test_stored_values_are_checked_again():
    assert settings.complete({"gzip": "off"})["gzip"] == "off"
    for bad in ({"gzip": "on; root /"}, {"nope": "1"}, {"gzip": 1}, {"gzip": "TRUE"}):
        with pytest.raises(api.errors.BadConfig):
            settings.complete(bad)

"""The properties of nginx:set: what they may be, and that nothing else gets near nginx."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api
from plugins.router_nginx import settings


@pytest.mark.parametrize("name", settings.PROPERTIES | settings.EVERYWHERE)
def test_the_default_and_the_example_are_values(name):
    about = (settings.PROPERTIES | settings.EVERYWHERE)[name]
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
        ("trusted-proxy", "Yes", "on"),
        ("trusted-proxy", "192.0.2.7, 10.1.2.3/8 192.0.2.7/32", "10.0.0.0/8,192.0.2.7"),
        ("trusted-proxy", "2001:DB8::1,2001:db8::/32", "2001:db8::/32,2001:db8::1"),
        ("websocket-timeout", "24h", "24h"),
        ("large-client-header-buffers", "8 64K", "8 64k"),
        ("underscores-in-headers", "yes", "on"),
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
        ("trusted-proxy", "proxy.example.org"),
        ("trusted-proxy", "10.0.0.0/33"),
        ("trusted-proxy", "10.0.0.1; root /"),
        ("trusted-proxy", "fe80::1%eth0"),
        ("trusted-proxy", ","),
        ("trusted-proxy", ",".join(f"10.0.0.{number}" for number in range(65))),
        ("trusted-proxy", "unix:"),
        ("proxy-max-temp-file-size", "1k"),
        ("large-client-header-buffers", "9 8k"),
        ("large-client-header-buffers", "4 65k"),
        ("large-client-header-buffers", "4  8k"),
        ("large-client-header-buffers", "8k"),
    ],
)
def test_other_values_are_refused_with_an_example(name, value):
    with pytest.raises(api.errors.UsageError) as caught:
        settings.check(name, value)
    assert (settings.PROPERTIES | settings.EVERYWHERE)[name].example in caught.value.hint


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
    assert re.fullmatch("[a-z0-9]+" if name != "trusted-proxy" else "[a-z0-9.:/,]+", kept)


@given(st.lists(st.ip_addresses().map(str).filter(lambda text: "%" not in text), min_size=1, max_size=5))
def test_a_list_of_addresses_is_kept_in_one_form(addresses):
    kept = settings.check("trusted-proxy", ", ".join(addresses))
    assert settings.check("trusted-proxy", kept) == kept and set(settings.proxies(kept)) == set(addresses)


@pytest.mark.parametrize(
    ("chosen", "timeout"),
    [
        ({}, "1h"),
        ({"proxy-read-timeout": "5m"}, "1h"),
        ({"proxy-read-timeout": "2h"}, "2h"),
        ({"proxy-read-timeout": "2h", "websocket-timeout": "30s"}, "30s"),
        ({"websocket-timeout": "5m"}, "5m"),
    ],
)
def test_an_upgraded_connection_may_be_idle_no_shorter_than_an_answer(chosen, timeout):
    assert settings.websocket_timeout(settings.complete(chosen)) == timeout


def test_stored_values_are_checked_again():
    assert settings.complete({"gzip": "off"})["gzip"] == "off"
    for bad in ({"gzip": "on; root /"}, {"nope": "1"}, {"gzip": 1}, {"gzip": "TRUE"}):
        with pytest.raises(api.errors.BadConfig):
            settings.complete(bad)
    for bad in ({"gzip": "off"}, {"nope": "1"}, {"underscores-in-headers": "maybe"}, {"client-header-timeout": 5}):
        with pytest.raises(api.errors.BadConfig):
            settings.everywhere(bad)


def test_what_was_set_for_an_app_without_effect_is_passed_over():
    assert settings.complete({"client-header-timeout": "5s", "gzip": "off"}) == settings.DEFAULTS | {"gzip": "off"}

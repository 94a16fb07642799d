import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.ports import mapping
from plugins.ports.mapping import Mapping


def refusal(text):
    with pytest.raises(errors.UsageError) as caught:
        mapping.parse(text)
    assert caught.value.message.isprintable() and caught.value.hint.startswith("try: ")
    mapping.parse(caught.value.hint.removeprefix("try: "))
    return caught.value


@given(st.integers(1, 65535).filter(lambda port: port not in (22, 2375, 2376)), st.integers(1, 65535))
def test_round_trip(host, container):
    found = mapping.parse(f"http:{host}:{container}")
    assert found == ("http", host, container) and mapping.parse(str(found)) == found


SHAPE = "is not a port mapping: it has three parts, scheme:host-port:container-port"


@pytest.mark.parametrize(
    "text, message, hint",
    [
        ("http:80", f'"http:80" {SHAPE}', "try: http:80:5000"),
        ("http:8080", f'"http:8080" {SHAPE}', "try: http:8080:5000"),
        ("80:3000", f'"80:3000" {SHAPE}', "try: http:80:3000"),
        ("", f'"" {SHAPE}', "try: http:80:5000"),
        ("http:80:5000:1", f'"http:80:5000:1" {SHAPE}', "try: http:80:5000"),
        (
            "https:443:3000",
            '"https:443:3000" cannot be set: certificates are not available yet',
            "try: http:80:3000",
        ),
        ("tcp:80:5000", 'the scheme "tcp" is not known; only http is', "try: http:80:5000"),
        ("HTTP:80:5000", 'the scheme "HTTP" is not known; only http is', "try: http:80:5000"),
        ("http:0:5000", 'the host port "0" is not a number from 1 to 65535', "try: http:80:5000"),
        ("http:80:65536", 'the container port "65536" is not a number from 1 to 65535', "try: http:80:5000"),
        ("http:80:5000\n", 'the container port "5000\\n" is not a number from 1 to 65535', "try: http:80:5000"),
        ("http:٨٠:5000", 'the host port "٨٠" is not a number from 1 to 65535', "try: http:80:5000"),
        (
            "http:22:5000",
            "port 22 of the host cannot be mapped: sshd listens there, and without it nobody can push",
            "try: http:80:5000",
        ),
        (
            "http:2375:3000",
            "port 2375 of the host cannot be mapped: docker's API uses it, and who reaches that is root",
            "try: http:80:3000",
        ),
    ],
)
def test_refused(text, message, hint):
    error = refusal(text)
    assert (error.message, error.hint) == (message, hint)


@given(st.text() | st.text("htps:0123456789 \n", max_size=20))
def test_anything_gives_a_mapping_or_a_sentence(text):
    try:
        assert str(mapping.parse(text)) == text
    except errors.UsageError:
        refusal(text)


def test_conflicts():
    first, other, second = Mapping("http", 80, 5000), Mapping("http", 81, 5000), Mapping("http", 80, 3000)
    assert mapping.conflicts([first, other]) == []
    assert mapping.conflicts([first, other, second]) == [(first, second)]
    assert mapping.conflicts([first, Mapping(*first)]) == [(first, first)]

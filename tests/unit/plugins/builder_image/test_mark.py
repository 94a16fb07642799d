"""The file that names an image."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.builder_image import images, mark

GOOD = [
    "nginx",
    "nginx:1.25",
    "library/nginx",
    "ghcr.io/anna/blog:1.2",
    "localhost:5000/x",
    "localhost/x",
    "127.0.0.1:5000/a/b__c/d-e:T",
    "x@sha256:" + "a" * 64,
    "registry.example.org/x:1@sha256:" + "b" * 64,
]
BAD = [
    "",
    "-x",
    "A/b",
    "X",
    "x:",
    "x@sha256:1",
    "a b",
    "x\n",
    "../x",
    "/x",
    "x/",
    "x//y",
    "x;id",
    "--privileged",
    "a" * 401,
    "x:" + "t" * 129,
    ":5000/x",
]


@pytest.mark.parametrize("name", GOOD)
def test_names_of_images(name):
    assert mark.reference(name) == name
    found = mark.Mark(name, "sha256:" + "c" * 64, "x@sha256:" + "d" * 64)
    assert mark.parse(mark.text(found)) == found


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_of_an_image(name):
    with pytest.raises(errors.UsageError):
        mark.reference(name)


@pytest.mark.parametrize(
    "data", [b"x = " + b"9" * 5000, b"x = " + b"[" * 5000, b"\xff", b"x = 1979-99-99", b"image = 1", b"x"]
)
def test_a_file_that_cannot_be_read_is_an_error_of_ours(data):
    with pytest.raises(errors.InvalidFile, match="minipaas-image.toml"):
        mark.parse(data)


@given(st.text(max_size=80))
def test_a_reference_is_never_an_option_and_has_nothing_to_escape(text):
    try:
        name = mark.reference(text)
    except errors.UsageError:
        return
    assert name[0] not in "-/." and not set(name) - set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@"
    )


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda t: f"image = {json.dumps(t)}\nid = 'x'".encode()))
def test_any_file_is_a_mark_or_an_error_of_ours(data):
    try:
        mark.parse(data)
    except errors.InvalidFile as error:
        assert error.message.isprintable() and mark.PATH in error.message


def test_a_mark_without_an_id_is_one_by_hand():
    assert mark.parse(b'image = "nginx"\n') == mark.Mark("nginx")
    for data in (b"", b'id = "sha256:' + b"a" * 64 + b'"', b"image = 3", b'image = "nginx"\nid = ""\ndigest = 5'):
        with pytest.raises(errors.InvalidFile):
            mark.parse(data)


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("nginx", "nginx"),
        ("nginx:1", "nginx"),
        ("a:5000/x", "a:5000/x"),
        ("a:5000/x:1", "a:5000/x"),
        ("x@sha256:" + "a" * 64, "x"),
        ("x:1@sha256:" + "a" * 64, "x"),
    ],
)
def test_a_reference_without_tag_and_digest(name, repository):
    assert images.repository_of(name) == repository

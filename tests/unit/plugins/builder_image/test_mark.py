"""The file that names an image, and what an image on stdin says of itself."""

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.builder_image import arrive, images, mark

GOOD = ["nginx", "nginx:1.25", "library/nginx", "ghcr.io/anna/blog:1.2", "localhost:5000/x", "localhost/x", "127.0.0.1:5000/a/b__c/d-e:T",
        "x@sha256:" + "a" * 64, "registry.example.org/x:1@sha256:" + "b" * 64]  # fmt: skip
BAD = ["", "-x", "A/b", "X", "x:", "x@sha256:1", "a b", "x\n", "../x", "/x", "x/", "x//y", "x;id", "--privileged", "a" * 401, "x:" + "t" * 129, ":5000/x"]


@pytest.mark.parametrize("name", GOOD)
def test_names_of_images(name):
    assert mark.reference(name) == name
    found = mark.Mark(name, "sha256:" + "c" * 64, "x@sha256:" + "d" * 64)
    assert mark.parse(mark.text(found)) == found


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_of_an_image(name):
    with pytest.raises(errors.UsageError):
        mark.reference(name)


@given(st.text(max_size=80))
def test_a_reference_is_never_an_option_and_has_nothing_to_escape(text):
    try:
        name = mark.reference(text)
    except errors.UsageError:
        return
    assert name[0] not in "-/." and not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@")


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
    [("nginx", "nginx"), ("nginx:1", "nginx"), ("a:5000/x", "a:5000/x"), ("a:5000/x:1", "a:5000/x"), ("x@sha256:" + "a" * 64, "x"), ("x:1@sha256:" + "a" * 64, "x")],
)  # fmt: skip
def test_a_reference_without_tag_and_digest(name, repository):
    assert images.repository_of(name) == repository


def saved(*manifests, names=("manifest.json",)) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in zip(names * len(manifests), manifests, strict=False):
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("tag", ["blog:1", "docker.io/blog:1", "docker.io/library/blog:1", "library/blog:1"])
def test_an_image_on_stdin_may_name_itself(tag):
    arrive._check_names(saved([{"RepoTags": [tag], "Layers": []}]), "blog:1")


@pytest.mark.parametrize(
    "archive",
    [saved([{"RepoTags": ["blog:1", "minipaas/other:v3"]}]), saved([{"RepoTags": None}]), saved([{"RepoTags": [3]}]), saved([]), saved(b"x"), saved({}),
     saved([{"RepoTags": ["blog:1"]}], [{"RepoTags": ["other:1"]}]), saved([{"RepoTags": ["blog:1"]}], names=("x/manifest.json",)),
     saved(b" " * (2 << 20)), io.BytesIO(b""), io.BytesIO(b"x" * 2000), io.BytesIO(b"\x1f\x8b" + b"x" * 600), saved(b"[" * 100_000)],
)  # fmt: skip
def test_what_docker_might_take_another_name_from_is_refused(archive):
    with pytest.raises(errors.InvalidFile):
        arrive._check_names(archive, "blog:1")


@given(st.binary(max_size=2000), st.integers(0, 1000), st.binary(min_size=1, max_size=20))
def test_a_damaged_image_is_an_error_of_ours_or_none(noise, where, patch):
    whole = saved([{"RepoTags": ["blog:1"]}]).getvalue()
    for data in (noise, whole[:where] + patch + whole[where + len(patch) :]):
        try:
            arrive._check_names(io.BytesIO(data), "blog:1")
        except errors.InvalidFile as error:
            assert error.message.isprintable()

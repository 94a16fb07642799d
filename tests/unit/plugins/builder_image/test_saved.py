"""What an image on stdin says of itself, and what docker gets of it."""

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.builder_image import images, saved

IMAGE = {"Config": "c.json", "RepoTags": ["blog:1"], "Layers": ["a/layer.tar"]}
FILES = {"c.json": b"{}", "a/layer.tar": b"first", "b/layer.tar": b"second"}


def archive(manifest=IMAGE, *more: tarfile.TarInfo | tuple, files=FILES) -> io.BytesIO:
    """As docker save makes one; `more` comes last: a TarInfo without content, or (name, content)."""
    content = (
        manifest
        if isinstance(manifest, bytes)
        else json.dumps([manifest] if isinstance(manifest, dict) else manifest).encode()
    )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in [*files.items(), ("manifest.json", content), *more]:
            about = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry[0])
            about.size = 0 if isinstance(entry, tarfile.TarInfo) else len(entry[1])
            tar.addfile(about, io.BytesIO(b"" if isinstance(entry, tarfile.TarInfo) else entry[1]))
    buffer.seek(0)
    return buffer


def link(name: str, target: str, kind=tarfile.SYMTYPE) -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, target
    return about


def loaded(source: io.BytesIO, image: str = "blog:1") -> dict[str, bytes]:
    """What docker gets: file -> content, the manifest parsed."""
    out = io.BytesIO()
    saved.write(source, saved.read(source, image), "minipaas/blog:v0", out)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        assert all(member.isreg() for member in tar.getmembers())
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def manifest_of(files: dict[str, bytes]) -> dict:
    [entry] = json.loads(files["manifest.json"])
    return entry


@pytest.mark.parametrize("tag", ["blog:1", "docker.io/blog:1", "docker.io/library/blog:1", "library/blog:1"])
def test_an_image_on_stdin_may_name_itself_and_gets_a_name_of_ours(tag):
    files = loaded(
        archive({**IMAGE, "RepoTags": [tag]}, ("repositories", b'{"python": {"3": "x"}}'), ("index.json", b"{}"))
    )
    assert files == {"config.json": b"{}", "layer-0.tar": b"first", "manifest.json": files["manifest.json"]}
    assert manifest_of(files) == {"Config": "config.json", "RepoTags": ["minipaas/blog:v0"], "Layers": ["layer-0.tar"]}


def test_a_layer_that_is_a_link_to_another_is_that_one():
    files = loaded(
        archive(
            {**IMAGE, "Layers": ["a/layer.tar", "x/layer.tar", "./b//layer.tar"]}, link("x/layer.tar", "../a/layer.tar")
        )
    )
    assert [files[name] for name in manifest_of(files)["Layers"]] == [b"first", b"first", b"second"]


OTHER = json.dumps([{**IMAGE, "RepoTags": ["python:3"]}]).encode()


@pytest.mark.parametrize(
    "more",
    [
        [("x/../manifest.json", OTHER)],
        [("/manifest.json", OTHER)],
        [("manifest.json", OTHER)],
        [link("d", "."), ("d/manifest.json", OTHER)],
        [("m", OTHER), link("manifest.json", "m")],
        [("m", OTHER), link("manifest.json", "m", tarfile.LNKTYPE)],
    ],
)
def test_no_second_manifest_brings_docker_another_name(more):
    try:
        files = loaded(archive(IMAGE, *more))
    except errors.InvalidFile as error:
        assert "names python:3" in error.message.replace('"', "")
    else:
        assert manifest_of(files)["RepoTags"] == ["minipaas/blog:v0"]


@pytest.mark.parametrize(
    "source",
    [
        archive({**IMAGE, "RepoTags": ["blog:1", "minipaas/other:v3"]}),
        archive({**IMAGE, "RepoTags": None}),
        archive({**IMAGE, "RepoTags": [3]}),
        archive([]),
        archive(b"x"),
        archive({}),
        archive(b'{"a": 1e999}'),
        archive([IMAGE, IMAGE]),
        archive(b" " * (5 << 20)),
        archive(b"[" * 100_000),
        archive({**IMAGE, "Layers": ["nowhere"]}),
        archive({**IMAGE, "Config": "../../etc/passwd"}),
        archive({**IMAGE, "Layers": [3]}),
        archive(IMAGE, link("a/layer.tar", "layer.tar")),
        archive({**IMAGE, "Config": ""}),
        io.BytesIO(b""),
        io.BytesIO(b"x" * 2000),
        io.BytesIO(b"\x1f\x8b" + b"x" * 600),
    ],
)
def test_what_is_no_such_image_is_refused(source):
    with pytest.raises(errors.InvalidFile) as caught:
        loaded(source)
    assert caught.value.hint and caught.value.message.isprintable()


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_headers_in_front_of_one_another_are_refused_and_cost_no_memory(kind):
    """tarfile calls itself for each of them, and keeps what it has read until the last."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 10
    header = info.tobuf(tarfile.USTAR_FORMAT) + b"9 a=bcdef\n".ljust(512, b"\0")
    with pytest.raises(errors.InvalidFile, match="not a tar archive"):
        loaded(io.BytesIO(header * 2000 + archive().getvalue()))
    info.size = 1 << 20
    with pytest.raises(errors.InvalidFile):
        loaded(io.BytesIO(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 20) + archive().getvalue()))


@given(st.binary(max_size=2000), st.integers(0, 5000), st.binary(min_size=1, max_size=20))
def test_a_damaged_image_is_an_error_of_ours_or_whole(noise, where, patch):
    whole = archive().getvalue()
    for data in (noise, whole[:where] + patch + whole[where + len(patch) :], whole[:where]):
        try:
            files = loaded(io.BytesIO(data))
        except errors.InvalidFile as error:
            assert error.message.isprintable()
        else:
            assert manifest_of(files)["RepoTags"] == ["minipaas/blog:v0"]


@pytest.mark.parametrize(
    "name", ["minipaas/other:v1", "minipaas/blog:v3", "docker.io/minipaas/blog", "index.docker.io/minipaas/x:1"]
)
def test_a_name_of_ours_does_not_come_from_elsewhere(name):
    with pytest.raises(errors.UsageError):
        images.refuse_ours("blog", name)

"""Git LFS: pointers are found and named, and objects that are here take their place."""

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors, paths
from minipaas_lib.git import lfs, repository
from minipaas_lib.records import apps
from tests.unit.git.test_repository import Laptop, laptop, world  # noqa: F401

CONTENT = b"a picture" * 1000
OID = hashlib.sha256(CONTENT).hexdigest()


def pointer(oid: str = OID, size: int = len(CONTENT)) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()


def store(content: bytes, oid: str = OID) -> str:
    path = lfs.object_path(paths.repository("blog"), oid)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    return path


@pytest.fixture
def unpacked(laptop, capsys, tmp_path):  # noqa: F811
    """A function that commits files and unpacks the commit: the context, and what was said."""

    def unpack(files):
        commit = laptop.commit(files)
        laptop.git(
            "push",
            "-q",
            "-f",
            "--receive-pack=git -c core.hooksPath=/dev/null receive-pack",
            paths.repository("blog"),
            "main",
        )
        context = str(tmp_path / f"context-{commit[:8]}")
        capsys.readouterr()
        repository.checkout("blog", commit, context)
        assert sorted(os.listdir(tmp_path)) == sorted({*os.listdir(tmp_path)} - {os.path.basename(context) + ".object"})
        return context, capsys.readouterr().err

    return unpack


def read(context: str, name: str) -> bytes:
    with open(os.path.join(context, name), "rb") as file:
        return file.read()


ATTRIBUTES = {".gitattributes": "*.png filter=lfs diff=lfs merge=lfs -text\n"}


def test_a_pointer_whose_object_is_not_here_is_named(unpacked):
    context, said = unpacked({**ATTRIBUTES, "a.png": pointer(), "www/b.png": pointer("0" * 64)})
    assert '2 files are Git LFS pointers without their content on this host: "a.png", "www/b.png"' in said
    assert read(context, "a.png") == pointer()


def test_an_object_takes_the_place_of_its_pointer_with_its_mode(unpacked, laptop):  # noqa: F811
    store(CONTENT)
    (laptop.folder / "run.png").write_bytes(pointer())
    (laptop.folder / "run.png").chmod(0o755)
    context, said = unpacked({**ATTRIBUTES, "a.png": pointer(), "b.png": pointer("0" * 64)})
    assert read(context, "a.png") == read(context, "run.png") == CONTENT and read(context, "b.png") == pointer("0" * 64)
    assert (
        os.stat(os.path.join(context, "a.png")).st_mode & 0o777 == 0o644
        and os.stat(os.path.join(context, "run.png")).st_mode & 0o777 == 0o755
    )
    assert "2 files from Git LFS" in said and "1 file is a Git LFS pointer" in said


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b""])
def test_an_object_that_is_not_what_the_pointer_says_is_not_taken(unpacked, content):
    store(content)
    context, said = unpacked({**ATTRIBUTES, "a.png": pointer()})
    assert read(context, "a.png") == pointer() and "1 file is a Git LFS pointer" in said


def test_an_object_of_another_size_is_not_even_read(unpacked, monkeypatch):
    """Thousands of pointers to one large object, each of which says that it is small, would be counted as small."""
    store(CONTENT)
    monkeypatch.setattr(lfs, "_put", lambda *_: pytest.fail("it was read"))
    context, said = unpacked({**ATTRIBUTES, "a.png": pointer(size=1)})
    assert read(context, "a.png") == pointer(size=1) and "1 file is a Git LFS pointer" in said


def test_the_size_of_all_objects_has_a_limit(unpacked, monkeypatch):
    store(CONTENT)
    monkeypatch.setattr(apps, "platform", lambda: {"limits": {"size": 2 * len(CONTENT) - 1}})
    with pytest.raises(errors.InvalidFile, match="Git LFS objects"):
        unpacked({**ATTRIBUTES, "a.png": pointer(), "b.png": pointer()})


@pytest.mark.parametrize("attributes", [{}, {".gitattributes": "* text=auto\n"}, {".gitattributes": "# filter=lfs\n"}])
def test_where_no_attribute_says_lfs_nothing_is_looked_at(unpacked, attributes):
    context, said = unpacked({**attributes, "a.png": pointer()})
    assert said == "" and read(context, "a.png") == pointer()


def test_attributes_of_a_folder_count_and_links_are_not_followed(unpacked, laptop, tmp_path):  # noqa: F811
    secret = tmp_path / "secret"
    secret.write_bytes(pointer())
    store(CONTENT)
    os.makedirs(laptop.folder / "www")
    os.symlink("a.png", laptop.folder / "www" / "link.png")
    context, said = unpacked({"www/.gitattributes": "*.png filter=lfs\n", "www/a.png": pointer()})
    assert (
        os.path.islink(os.path.join(context, "www/link.png"))
        and read(context, "www/a.png") == CONTENT
        and "1 file from" in said
    )
    assert secret.read_bytes() == pointer()


@given(st.binary(max_size=300))
def test_any_file_is_a_pointer_or_not(content):
    assert lfs.parse(content) is None or content.startswith(b"version https://git-lfs")
    assert lfs.parse(b"version https://git-lfs.github.com/spec/v1\n" + content) is not None


def test_a_repository_inside_a_folder_is_named_where_nothing_tells_of_it(laptop, capsys, monkeypatch):  # noqa: F811
    laptop.commit({"page": "x"})
    laptop.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib/it's")
    laptop.git("commit", "-q", "-m", "a repository inside")
    commit = laptop.git("rev-parse", "HEAD").stdout.strip()
    laptop.git(
        "push", "-q", "--receive-pack=git -c core.hooksPath=/dev/null receive-pack", paths.repository("blog"), "main"
    )
    repository.keep_commit("blog", commit, 1)
    said = capsys.readouterr().err
    assert (
        'the folder "lib/it\'s" stays empty' in said
        and "git submodule add <url> 'lib/it'\"'\"'s'" in said
        and "git rm --cached" in said
    )

"""Archives that anybody may have made: either all of it becomes a commit, or nothing does."""

import gzip
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from minipaas_lib import api, errors, paths
from minipaas_lib.git import git, repository
from minipaas_lib.model.entries import Limits
from plugins.git import archive, streams, tar
from plugins.git import zip as zips

SMALL = Limits(entries=50, size=1 << 20)


def make_tar(*members, kind=tarfile.PAX_FORMAT) -> bytes:
    """A tar of (name, content or target, {attributes of TarInfo})."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind, errors="surrogateescape", encoding="utf-8") as file:
        for name, content, about in members:
            info = tarfile.TarInfo(name)
            info.size = len(content or b"")
            for key, value in about.items():
                setattr(info, key, value)
            file.addfile(info, io.BytesIO(content or b""))
    return buffer.getvalue()


def make_zip(*members) -> bytes:
    """A zip of (name, content, mode, the system that made it)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content, mode, system in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.external_attr, info.create_system = name, mode << 16, system
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, content)
    return buffer.getvalue()


def entries_of(data: bytes, limits=SMALL):
    if data[:2] == b"PK":
        return archive.walk(zips.entries(io.BytesIO(data), limits.entries), limits)
    stream = streams.Bounded(io.BytesIO(data).read, 1 << 24, "the archive")
    if data[:2] == b"\x1f\x8b":
        stream = streams.unzipped(stream, limits.size + limits.entries * 2048, "the archive")
    return archive.walk(tar.entries(stream), limits)


def contents(data: bytes, limits=SMALL) -> dict[str, tuple[str, bytes | str]]:
    """path -> (mode, content) of what a walk lets through; a copy's content is the path it copies."""
    found = {}
    for entry in entries_of(data, limits):
        pieces = []
        while entry.read and (piece := entry.read(7)):
            pieces.append(piece)
        found[entry.path] = (entry.mode, entry.same_as or b"".join(pieces))
    return found


def file(name, content=b"x", **about):
    return name, content, about


def link(name, target, **about):
    return name, None, {"type": tarfile.SYMTYPE, "linkname": target, **about}


REFUSED = {
    "two dots": ([file("../x")], "leads out"),
    "two dots inside": ([file("a/../../x")], "leads out"),
    "two dots that stay": ([file("a/../x")], "leads out"),
    "absolute": ([file("/etc/passwd")], "absolute"),
    "absolute behind a dot": ([file(".//etc/../../x")], "leads out"),
    "a link to nowhere": ([link("x", "")], "link to nowhere"),
    "a link that says too much": ([link("x", "y" * 5000)], "path of more than 4,095 bytes"),
    "a file through a link": ([link("a", "b"), file("a/x"), file("b/y")], "twice"),
    "a link where a folder is": ([file("a/x"), link("a", "b")], "twice"),
    "a hard link out": ([("x", None, {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})], "hard link"),
    "a hard link to a link": ([link("l", "f"), ("x", None, {"type": tarfile.LNKTYPE, "linkname": "l"})], "hard link"),
    "a hard link to what comes later": (
        [("x", None, {"type": tarfile.LNKTYPE, "linkname": "f"}), file("f")],
        "hard link",
    ),
    "a device": ([("x", None, {"type": tarfile.CHRTYPE})], "character device"),
    "a disk": ([("x", None, {"type": tarfile.BLKTYPE})], "block device"),
    "a pipe": ([("x", None, {"type": tarfile.FIFOTYPE})], "named pipe"),
    "setuid": ([file("x", mode=0o4755)], "setuid"),
    "setgid": ([file("x", mode=0o2755)], "setuid"),
    ".git": ([file(".git/config")], "git's own"),
    ".GIT": ([file("a/.GiT/hooks/x")], "git's own"),
    ".git with what is not seen": ([file(".g\u200cit/config")], "git's own"),
    "git~1": ([file("git~1/config")], "git's own"),
    "one name twice": ([file("x"), file("x", b"y")], "twice"),
    "one name twice, with a dot": ([file("x"), file("./x", b"y")], "twice"),
    ".gitmodules as a link": ([file("x"), link(".gitmodules", "x")], "git reads it"),
    "too many": ([file(f"f{n}") for n in range(51)], "more than 50 entries"),
    "too large": ([file("x", b"0" * (1 << 20)), file("y")], "larger than 1,048,576 bytes"),
    "a long name": ([file("a" * 256)], "name of more than 255 bytes"),
    "a long path": ([file("/".join(["a" * 200] * 12))], "path of more than 2,048 bytes"),
    "a thousand folders": ([file("a/" * 1000 + "x")], "deeper than 99 folders"),
}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize(("members", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_names_the_entry_and_why(members, why, form):
    with pytest.raises(errors.InvalidFile) as caught:
        contents(make_tar(*members, kind=form))
    assert why in caught.value.message and caught.value.message.isprintable()
    culprit = api.names.safe(members[-1][0])
    assert any(api.names.safe(name) in caught.value.message for name, *_ in members), culprit


@pytest.mark.parametrize(("form", "folded"), [("tar", False), ("tar", True), ("gz", False), ("gnu", False)])
def test_what_is_plain_comes_through(form, folded):
    top = "blog-1.2/" if folded else ""
    members = [
        *(
            [file("blog-1.2", b"", type=tarfile.DIRTYPE, mode=0o2755)]
            if folded
            else [file("./", b"", type=tarfile.DIRTYPE)]
        ),
        file(f"{top}start", b"#!/bin/sh\n", mode=0o755),
        file(f"{top}{'n' * 90}/{'m' * 90}/über.txt", b"long"),
        file(f"{top}empty", b""),
        link(f"{top}{'n' * 90}/up", "../start"),
        (f"{top}again", None, {"type": tarfile.LNKTYPE, "linkname": f"{top}start"}),
    ]
    data = make_tar(*members, kind=tarfile.GNU_FORMAT if form == "gnu" else tarfile.PAX_FORMAT)
    found = contents(gzip.compress(data) if form == "gz" else data)
    if folded:
        assert found.pop("") == ("", "blog-1.2")
    assert {path.removeprefix(top): about for path, about in found.items()} == {
        "start": ("100755", b"#!/bin/sh\n"),
        f"{'n' * 90}/{'m' * 90}/über.txt": ("100644", b"long"),
        "empty": ("100644", b""),
        f"{'n' * 90}/up": ("120000", b"../start"),
        "again": ("100755", f"{top}start"),
    }


ODD = {"a\nb": b"1", "a\x1b[2Jb": b"2", "a\x9bb": b"3", "caf\udce9": b"4", 'q"\\\r': b"5"}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_odd_bytes_in_names_and_links_that_lead_out_come_through_and_are_unpacked_as_they_are(blog, form):
    """Nobody reads these files here, and a link is made, not followed: an overlay of /etc is full of such."""
    links = {"etc/nginx/site": "/etc/nginx/available", "up": "../../../x", "down": "a/../../..", "odd": "\n\udce9"}
    data = make_tar(
        *(file(name, content) for name, content in ODD.items()), *(link(*pair) for pair in links.items()), kind=form
    )
    found = commit(data)
    repository.keep_commit("blog", found, 1)
    repository.checkout("blog", found, str(blog / "out"))
    assert {name: (blog / "out" / name).read_bytes() for name in ODD} == ODD
    assert {name: os.readlink(blog / "out" / name) for name in links} == links


def test_a_zip_comes_through_and_its_links_and_modes():
    data = make_zip(
        ("d/", b"", 0o40755, 3), ("d/run", b"#!", 0o100755, 3), ("d/l", b"run", 0o120777, 3), ("plain", b"p", 0, 0)
    )
    assert contents(data) == {"d/run": ("100755", b"#!"), "d/l": ("120000", b"run"), "plain": ("100644", b"p")}


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (("../x", b"", 0o100644, 3), "leads out"),
        (("/x", b"", 0, 0), "absolute"),
        (("a\\b", b"", 0, 0), "backslash"),
        (("x", b"y" * 5000, 0o120777, 3), "path of more than"),
        (("x", b"", 0o20644, 3), "device"),
        (("x", b"", 0o10644, 3), "pipe"),
        ((".git/config", b"", 0, 0), "git's own"),
        (("x\0.txt", b"", 0, 0), "NUL"),
        (("a/" * 200 + "x", b"", 0, 0), "deeper than"),
        (("x", b"0" * (1 << 21), 0, 0), "larger than 1,048,576 bytes"),
        (("x", b"", 0o104755, 3), "setuid"),
    ],
)
def test_what_is_refused_of_a_zip(member, why):
    with pytest.raises(errors.InvalidFile, match=why):
        contents(make_zip(member))


def damaged(change) -> bytes:
    data = bytearray(make_zip(("a", b"x" * 500, 0, 0), ("l", b"a", 0o120777, 3)))
    change(data)
    return bytes(data)


def flag_all(data: bytearray, bit: int) -> None:
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := data.find(mark, place + 1)) >= 0:
            data[place + offset] |= bit


def change_crc(data: bytearray) -> None:
    for mark, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        data[data.index(mark) + offset] ^= 0xFF


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (change_crc, "CRC"),
        (lambda data: data.__setitem__(slice(32, 36), b"\xff" * 4), "cannot be read"),
        (lambda data: flag_all(data, 1), "is encrypted"),
        (lambda data: flag_all(data, 0x20), "patched"),
        (lambda data: flag_all(data, 0x40), "encryption"),
    ],
)
def test_a_damaged_or_encrypted_zip_is_an_error_of_ours(blog, change, why):
    with pytest.raises(errors.InvalidFile, match=why):
        commit(damaged(change))


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_a_zip_with_any_bytes_changed_is_read_or_an_error_of_ours(where, patch):
    whole = damaged(lambda data: None)
    data = b"PK" + (whole[:where] + patch + whole[where + len(patch) :])[2:]
    try:
        contents(data)
    except errors.InvalidFile as error:
        assert error.message.isprintable()


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
@settings(max_examples=80)
def test_a_gzip_with_any_bytes_changed_is_read_or_an_error_of_ours(where, patch):
    whole = gzip.compress(make_tar(file("a/b", os.urandom(300)), link("a/l", "b")))
    data = whole[:2] + (whole[:where] + patch + whole[where + len(patch) :])[2:]
    try:
        contents(data)
    except errors.InvalidFile as error:
        assert error.message.isprintable()


def test_a_zip_with_a_huge_list_is_not_read_into_memory():
    data = make_zip(*((f"f{n}", b"", 0, 0) for n in range(400)))
    with pytest.raises(errors.InvalidFile, match="more than 50 entries"):
        contents(data)


def test_a_bomb_stops_at_the_limit():
    data = gzip.compress(make_tar(file("x", b"\0" * (64 << 20))))
    with pytest.raises(errors.InvalidFile, match="larger than 1,048,576 bytes"):
        contents(data)
    padding = gzip.compress(
        make_tar(*(file(f"d{n}/", b"", type=tarfile.DIRTYPE) for n in range(5))) + b"x" * (64 << 20)
    )
    assert len(padding) < 1 << 20


@pytest.mark.parametrize("key", ["path", "linkpath", "comment"])
def test_a_header_is_not_read_into_memory_however_large_it_says_it_is(key):
    info = tarfile.TarInfo("x")
    data = make_tar(("x", b"", {"pax_headers": {key: "y" * 100_000}}))
    with pytest.raises(errors.InvalidFile, match="more than 65,536 bytes"):
        contents(data)
    head = info.tobuf(tarfile.GNU_FORMAT)
    long_name = tarfile.TarInfo("././@LongLink")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    with pytest.raises(errors.InvalidFile, match="more than 65,536 bytes"):
        contents(long_name.tobuf(tarfile.GNU_FORMAT) + head)


def header_of(kind: bytes, content: bytes) -> bytes:
    """A header of an entry that comes after it."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_headers_before_one_entry_are_counted_and_their_sizes_added(kind):
    """34,000 of them, each small enough, were 1.9 GB of memory: the limit is of the set."""
    record = lambda n: b"1012 " + f"k{n:05}=".encode() + b"v" * 999 + b"\n"  # noqa: E731
    entry = make_tar(file("x"))
    few = b"".join(header_of(kind, record(n) if kind in b"xg" else b"name") for n in range(tar.HEADERS_LIMIT))
    contents(few + entry)
    many = b"".join(header_of(kind, record(n) if kind in b"xg" else b"name") for n in range(tar.HEADERS_LIMIT + 1))
    large = header_of(kind, record(0) * 40) * 2
    for headers in (many, large):
        with pytest.raises(errors.InvalidFile, match="more than 16 headers"):
            contents(headers + entry)
    if kind in b"xg":
        assert (
            len(contents(b"".join((few + make_tar(file(f"f{n}")))[:-9216] for n in range(40)) + bytes(1024))) == 40
        ), "the next entry counts anew"


def test_a_header_full_of_small_records_is_read_in_one_pass():
    info = header_of(b"x", b"6 a=b\n" * 10_000)
    began = time.monotonic()
    assert "x" in contents(info + make_tar(file("x")))
    assert time.monotonic() - began < 1


def test_sparse_files_are_refused():
    info = tarfile.TarInfo("x")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999999"}
    with pytest.raises(errors.InvalidFile, match="is a sparse file"):
        contents(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 100, b"hello", b"x" * 512, b"\x1f\x8bxxxx", b"PK\x05\x06", b"PK\x03\x04xxx", bytes(1024)]
)
def test_what_is_no_archive_says_so(data):
    with pytest.raises(errors.InvalidFile):
        contents(data)


def test_a_cut_off_archive_is_refused():
    data = make_tar(file("a", b"1" * 2000), file("b", b"2" * 2000))
    for end in (100, 600, 1500, 2600, 4000):
        with pytest.raises(errors.InvalidFile, match="cut off|in the middle|not a tar"):
            contents(data[:end])


names = st.one_of(
    st.sampled_from(
        [
            "..",
            ".",
            "",
            ".git",
            ".GIT",
            "git~1",
            "a",
            "b",
            "c",
            "A",
            "sub",
            "x\ny",
            "é",
            "\udce9",
            ".gitmodules",
            "\\",
            "a\\b",
        ]
    ),
    st.text(alphabet="ab./\\\n\u200c~", min_size=1, max_size=6),
)
path_texts = st.builds(
    lambda parts, before: before + "/".join(parts),
    st.lists(names, min_size=1, max_size=4),
    st.sampled_from(["", "", "", "/", "./"]),
)
kinds = st.sampled_from(
    [tarfile.REGTYPE, tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)
hostile = st.lists(
    st.tuples(path_texts, st.binary(max_size=20), kinds, path_texts, st.sampled_from([0o644, 0o755, 0o4755])),
    min_size=1,
    max_size=6,
)


@pytest.fixture
def blog(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path / "root"))
    repository.create("blog")
    return tmp_path


def commit(data: bytes) -> str:
    return repository.commit_tree("blog", entries_of(data), "from a test", "Anna <anna@example.org>", None)


def check_strictly(commit: str) -> None:
    """Raise when git finds fault with what belongs to the commit, and no more: objects of one that was refused may lie
    in the repository until git tidies up.
    """
    ours = f"--git-dir={paths.repository('blog')}"
    pack = subprocess.run(
        ["git", ours, "pack-objects", "-q", "--revs", "--stdout"],
        input=commit.encode(),
        capture_output=True,
        check=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        git.run(["init", "-q", "--bare", folder])
        fresh = ["git", f"--git-dir={folder}", "index-pack", "--strict", "--fsck-objects", "--stdin"]
        done = subprocess.run(fresh, input=pack.stdout, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


def everything(folder) -> list[str]:
    return sorted(os.path.join(place, name) for place, _, files in os.walk(folder) for name in files)


@given(members=hostile)
@example(members=[(".gitmodules/x", b"", tarfile.SYMTYPE, "y", 0o644)])
@example(members=[("./b/.gitmodules", b"\xdbA", tarfile.REGTYPE, "", 0o644)])
@example(members=[(".gitmodules/x", b"", tarfile.REGTYPE, "", 0o644), ("top", b"", tarfile.REGTYPE, "", 0o644)])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_nothing_is_ever_written_outside_and_a_refusal_leaves_nothing(blog, members):
    made = []
    for name, content, kind, target, mode in members:
        about = {"type": kind, "linkname": target, "mode": mode}
        made.append((name, content if kind == tarfile.REGTYPE else None, about))
    data = make_tar(*made)
    before = everything(blog)
    try:
        found = commit(data)
    except errors.InvalidFile as error:
        assert everything(blog) == before and error.message.isprintable()
        return
    kept = repository.kept_commits("blog")
    try:
        repository.keep_commit("blog", found, 1)  # what is let through must pass what a push must pass, too
    except errors.InvalidFile:
        assert repository.kept_commits("blog") == kept
        return
    target = blog / "out"
    try:
        repository.checkout("blog", found, str(target))
    except errors.InvalidFile:  # a .gitmodules that cannot be read
        shutil.rmtree(target)
        return
    outside = [path for path in everything(blog) if not path.startswith((paths.repository("blog"), str(target)))]
    assert outside == [path for path in before if not path.startswith(paths.repository("blog"))]
    check_strictly(found)
    os.rename(target, blog / "gone")
    shutil.rmtree(blog / "gone")


@given(
    st.dictionaries(
        st.text("abcdefgh/", min_size=1, max_size=9).filter(lambda t: "//" not in t and t.strip("/") == t),
        st.binary(max_size=900),
        min_size=1,
        max_size=8,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_what_is_plain_is_just_what_the_commit_holds(blog, files):
    folders = {name[:index] for name in files for index in range(len(name)) if name[index] == "/"}
    files = {name: content for name, content in files.items() if name not in folders} | {"top": b"level", "q/x": b""}
    made = commit(make_tar(*(file(name, content) for name, content in files.items())))
    listing = git.run([f"--git-dir={paths.repository('blog')}", "ls-tree", "-r", "--name-only", made]).decode().split()
    assert listing == sorted(files)
    for name, content in files.items():
        assert git.run([f"--git-dir={paths.repository('blog')}", "cat-file", "blob", f"{made}:{name}"]) == content


@given(st.binary(max_size=3000), st.integers(0, 2000), st.binary(min_size=1, max_size=40))
def test_damage_is_an_error_of_ours_or_no_error(noise, where, patch):
    whole = make_tar(file("a/b", b"1" * 700), link("a/l", "b"), file("c", b""))
    for data in (noise, whole[:where] + patch + whole[where + len(patch) :]):
        try:
            contents(data)
        except errors.InvalidFile as error:
            assert error.message.isprintable()


def test_the_single_top_folder_goes_and_the_same_archive_makes_no_commit(blog):
    data = make_tar(file("blog-main/app.py", b"x"), file("blog-main/d/y", b"y"))
    first = commit(data)
    listing = git.run([f"--git-dir={paths.repository('blog')}", "ls-tree", "-r", "--name-only", first])
    assert listing.decode().split() == ["app.py", "d/y"]
    again = repository.commit_tree("blog", entries_of(data), "again", "Anna <a@b.test>", first)
    assert again == first
    other = repository.commit_tree("blog", entries_of(make_tar(file("z"))), "again", "Anna <a@b.test>", first)
    assert other != first and repository.commits_between("blog", first, other) == [(other, "again")]
    assert repository.author("blog", other) == "Anna"

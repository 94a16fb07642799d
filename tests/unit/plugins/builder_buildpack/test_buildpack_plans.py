"""What names a buildpack, what bin/release says, which buildpack is for what, and what docker is asked for."""

import io
import json
import re
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from minipaas_lib.model.app import App
from plugins.builder_buildpack import build, choose, fetch, plan, references, release_yaml, settings, stack, upload
from plugins.builder_buildpack.references import Reference

OURS = Path(references.__file__).parent / "buildpacks"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("python", Reference("ours", "python")),
        ("heroku/nodejs", Reference("git", "https://github.com/heroku/heroku-buildpack-nodejs.git")),
        ("heroku/go#v180", Reference("git", "https://github.com/heroku/heroku-buildpack-go.git", "v180")),
        ("https://example.org/a.git#main", Reference("git", "https://example.org/a.git", "main")),
        ("https://example.org:8443/a/b", Reference("git", "https://example.org:8443/a/b")),
        ("/srv/buildpacks/one#v1", Reference("path", "/srv/buildpacks/one", "v1")),
        ("file:///srv/one/", Reference("path", "/srv/one")),
    ],
)
def test_a_buildpack_is_named(text, expected):
    assert references.parse(text) == expected
    assert references.parse(expected.text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "perl",
        "http://example.org/a",
        "git://example.org/a",
        "ssh://a/b",
        "git@example.org:a/b",
        "ext::sh -c id",
        "--upload-pack=id",
        "https://-x/a",
        "https://example.org",
        "https://user:secret@example.org/a",
        "https://tok@example.org/a",
        "a/..",
        "a/b#",
        "a/b#--x",
        "a/b#x..y",
        "/srv/../etc",
        "/",
        "/a b",
        "a/b\n",
        "https://e.org/a b",
        "https://e.org/a\n",
        "x" * 2000,
        "file://host/a",
    ],
)
def test_what_names_no_buildpack_is_refused(text):
    with pytest.raises(errors.UsageError) as caught:
        references.parse(text)
    assert "secret" not in caught.value.message and caught.value.hint


@given(st.one_of(st.text(), st.from_regex(r"(https://|/|[a-z]+/)[a-z./#@:-]{0,30}", fullmatch=True)))
def test_any_text_is_a_buildpack_or_refused(text):
    try:
        found = references.parse(text)
    except errors.UsageError:
        return
    assert references.parse(found.text) == found and re.fullmatch(r"[!-~]+|/\S+", found.text)
    assert found.kind in ("ours", "git", "path") and not found.place.startswith("-") and not found.ref.startswith("-")


@given(
    st.lists(st.sampled_from(["python", "heroku/go", "/srv/a#b", "https://e.org/x.git"]), max_size=20),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_buildpacks_file_has_one_a_line(texts, end):
    data = end.join(["# comment", "", *(f"  {text}\t" for text in texts)]).encode()
    assert references.parse_file(data) == [references.parse(text) for text in texts]


@given(st.binary(max_size=300))
def test_any_buildpacks_file_is_read_or_refused(data):
    try:
        references.parse_file(data)
    except errors.InvalidFile as error:
        assert error.message.startswith(".buildpacks") and error.hint


def test_a_buildpacks_file_is_refused_by_its_line():
    with pytest.raises(errors.InvalidFile, match="^.buildpacks line 2: .*only https"):
        references.parse_file(b"python\nhttp://example.org/x\n")
    with pytest.raises(errors.InvalidFile, match="more than 20"):
        references.parse_file(b"python\n" * 21)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=20)
KEY = st.from_regex("[A-Za-z_][A-Za-z0-9_-]{0,10}", fullmatch=True)


@given(st.dictionaries(KEY, st.dictionaries(KEY, TEXT, min_size=1, max_size=4), max_size=4), st.integers(1, 4))
def test_maps_of_quoted_text_are_read_back(document, indent):
    lines = ["---"]
    for top, entries in document.items():
        lines.append(f"{top}:")
        for number, (key, value) in enumerate(entries.items()):
            quoted = json.dumps(value, ensure_ascii=False) if number % 2 else "'" + value.replace("'", "''") + "'"
            lines.append(" " * indent + f"{key}: {quoted}")
    assert release_yaml.parse("\n".join(lines).encode()) == document


@given(st.one_of(st.binary(max_size=200), st.text("ab:-'\"{}[]#&*|>!%?,\\U9 \n", max_size=80).map(str.encode)))
@example(b'a: {b: "\\U00110000"}')
@example(b'a: {b: "\\Uffffffff"}')
@example(b"%YAML 1." + b"9" * 5000 + b"\n---\na: {}\n")
def test_any_release_is_read_or_refused(data):
    try:
        found = release_yaml.parse(data)
    except errors.InvalidFile as error:
        assert "bin/release" in error.message and "\n" not in error.message
        return
    for value in found.values():
        assert isinstance(value, (dict, list)) and all(
            isinstance(item, str) for item in (value.values() if isinstance(value, dict) else value)
        )


def test_what_buildpacks_print_is_understood():
    said = (
        b"---\n"
        b"addons: []\n"
        b"config_vars: {}\n"
        b"default_process_types:\n"
        b"  web: bin/rails server -p $PORT # all\n"
        b"  rake: 'bundle exec rake'\n"
    )
    assert release_yaml.parse(said) == {
        "addons": [],
        "config_vars": {},
        "default_process_types": {"web": "bin/rails server -p $PORT", "rake": "bundle exec rake"},
    }
    assert (
        release_yaml.parse(b"addons:\n- one\n- two\n") == {"addons": ["one", "two"]}
        and release_yaml.parse(b"--- {}\n") == {}
    )


@pytest.mark.parametrize(
    "said",
    [
        *(b"web: |\n  x", b"a:\n  b: &x 1", b"a:\n  b:\n    c: d", b"a: b", b"a:\n\tb: c", b"a: {}\na: {}", b"x"),
        *(
            b"a: {}\n---\nb: {}",
            b"- a",
            b"a: {b: !!int 1}",
            b"a: {? [b] : c}",
            b"a: {b: *c}",
            b"a: [b",
            b"a:\n  b: \x01",
        ),
    ],
)
def test_other_yaml_is_refused_with_its_line(said):
    with pytest.raises(errors.InvalidFile, match="^bin/release, line [0-9]"):
        release_yaml.parse(said)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        *((b"8080", "8080"), (b"yes", "yes"), (b"010", "010"), (b"2026-01-01", "2026-01-01"), (b"1e3", "1e3")),
        *((b"~", "~"), (b"null", "null"), (b"", ""), (b"! x", None), (b"'it''s'", "it's"), (b'"\\u0041"', "A")),
        *((b"bundle exec\n    puma", "bundle exec puma"), (b">-\n    bundle exec\n    puma", "bundle exec puma")),
    ],
)
def test_every_value_is_the_text_that_is_written(said, text):
    """What YAML 1.1 takes for numbers, dates and truth stays as it is."""
    if text is None:
        with pytest.raises(errors.InvalidFile):
            release_yaml.parse(b"a:\n  b: " + said)
    else:
        assert release_yaml.parse(b"a:\n  b: " + said) == {"a": {"b": text}}


BOMBS = {
    "aliases of aliases": b"a: &a [x, x]\n"
    + b"".join(b"%c: &%c [*%c, *%c]\n" % (i, i, i - 1, i - 1) for i in b"bcdefghi"),
    "a big map again and again": b"a: &a {" + b"b, " * 9000 + b"}\n" + b"".join(b"k%d: *a\n" % i for i in range(3000)),
    "a map in itself": b"a: &a {b: *a}",
    "lists in lists": b"[" * 65000,
    "maps in maps": b"{" * 65000,
    "blocks in blocks": b"- " * 32000,
    "keys of keys": b"? " * 32000,
    "deep below a key": b"a: " + b"[" * 65000,
    "indented ever deeper": b"".join(b" " * depth + b"a:\n" for depth in range(350)),
    "an open quote": b'a: "' + b"x " * 32000,
    "tags": b"!" * 65000,
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused_at_once(what):
    began = time.process_time()
    with pytest.raises(errors.InvalidFile, match="bin/release"):
        release_yaml.parse(BOMBS[what])
    assert time.process_time() - began < 5


def test_what_releases_say_is_put_together_and_what_is_ours_stays_ours():
    out = {
        "release.01": (
            b"config_vars:\n"
            b"  PATH: evil\n"
            b"  A: 1\n"
            b"default_process_types:\n"
            b"  web: one\n"
            b"  worker: w\n"
            b"  release: r\n"
            b"  BAD NAME: x"
        ),
        "release.02": b"config_vars:\n  A: 2\ndefault_process_types:\n  web: two\n",
        "release.3": b"not ours",
    }
    out["release.01"] = out["release.01"].replace(b"  BAD NAME: x", b"  bad.name: x")
    assert build.released(out) == ({"web": "two", "worker": "w"}, {"A": "2"})


@pytest.mark.parametrize(
    "files, expected",
    [
        (["requirements.txt", "package.json", "Procfile"], "python"),
        (["pyproject.toml"], "python"),
        (["package.json", "Procfile"], "node"),
        (["Procfile", "index.html"], "procfile"),
        (["index.html"], "static"),
        (["dist/index.html"], "static"),
        ([".static"], "static"),
        (["main.go"], None),
    ],
)
def test_the_detection_here_is_that_of_our_buildpacks(tmp_path, files, expected):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = choose.detect(str(tmp_path))
    assert (found and found.packs[0].place) == expected
    for name in references.OURS:
        done = subprocess.run(["sh", OURS / name / "bin/detect", tmp_path], capture_output=True)
        assert (done.returncode == 0) == any(choose._is_file(str(tmp_path), file) for file in choose.FILES[name])
        assert done.returncode != 0 or done.stdout


def test_what_was_said_goes_before_what_is_there(world, tmp_path):
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / ".buildpacks").write_text("heroku/go\n")
    by_hand = App("blog", {"buildpacks": {"list": ["static", "node"]}})

    def chosen(app, config):
        return [pack.text for pack in choose.choose(app, str(tmp_path), config).packs]

    assert chosen(by_hand, {"BUILDPACK_URL": "python"}) == ["static", "node"]
    assert chosen(App("blog"), {"BUILDPACK_URL": "python"}) == ["python"]
    assert chosen(App("blog"), {}) == ["https://github.com/heroku/heroku-buildpack-go.git"]
    (tmp_path / ".buildpacks").write_text("# none\n")
    assert chosen(App("blog"), {}) == ["node"]


def test_a_symbolic_link_is_no_file_to_detect(tmp_path):
    (tmp_path / "package.json").symlink_to("/etc/passwd")
    assert choose.detect(str(tmp_path)) is None


def test_every_program_of_ours_is_shipped_and_is_shell():
    found = {path.name: {program.name for program in (path / "bin").iterdir()} for path in OURS.iterdir()}
    assert found == {name: set(programs) for name, programs in fetch.OURS.items()} and set(found) == set(
        references.OURS
    )
    scripts = [*OURS.glob("*/bin/*"), *(OURS.parent / "container").iterdir()]
    assert len(scripts) == 12
    for script in scripts:
        assert subprocess.run(["sh", "-n", script], capture_output=True).returncode == 0, script
        assert script.read_text().startswith("#!/bin/sh\n")


def test_the_stack_suits_the_buildpacks():
    def of(*texts):
        return settings.default_stack([references.parse(text) for text in texts])

    assert of("static") == "" and of("procfile") == settings.PROCFILE_STACK
    assert of("python") == settings.PYTHON_STACK and of("python", "node") == settings.NODE_STACK
    assert of("python", "heroku/go") == settings.OTHER_STACK
    assert settings.stack_variable("heroku/heroku:24-build") == "heroku-24"
    assert settings.stack_variable("registry:5000/a/debian:12@sha256:" + "0" * 64) == "debian-12"


@pytest.mark.parametrize("value", ["debian:12", "registry.example.org:5000/team/stack:2", "a/b@sha256:" + "0" * 64])
def test_a_stack_is_an_image(value):
    assert settings.parse("stack", value) == value


@pytest.mark.parametrize("value", ["-x", "631607dc2de1", "--privileged", "a b", "A", "a\n", "a:", "a//", "x" * 400])
def test_what_is_no_image_is_no_stack(value):
    with pytest.raises(errors.UsageError):
        settings.parse("stack", value)


@given(st.text(max_size=50))
def test_any_property_value_is_kept_or_refused(value):
    for name in settings.PROPERTIES:
        try:
            kept = settings.parse(name, value)
        except errors.UsageError:
            continue
        assert not kept.startswith("-") and "\n" not in kept and (name == "stack" or kept.startswith("/"))


def test_docker_is_told_nothing_secret_and_the_image_is_whole():
    made = plan.create("blog", "debian:12", "debian-12", "me", 1 << 20)
    assert made[-4:] == ["--entrypoint", "/bin/sh", "debian:12", "/minipaas/build/drive"] and "--privileged" not in made
    assert made[made.index("--user") + 1] == "32767:32767" and made[made.index("--memory") + 1] == str(1 << 20)
    assert [word for word in made if "=" in word and word.startswith(("HOME", "STACK"))] == [
        "HOME=/app",
        "STACK=debian-12",
    ]
    kept = plan.commit("blog", "c" * 40, 3, ["python"], {"A": 'a "$HOME" \\ b'})
    assert kept[-2:] == ["blog_buildpacks", "minipaas/blog:v3"]
    assert r'ENV A="a \"\$HOME\" \\ b"' in kept and 'ENTRYPOINT ["/minipaas/launch"]' in kept
    assert f'LABEL "{plan.BUILD_LABEL}"=""' in kept  # a container of the image is no build


def test_the_upload_holds_all_of_it_for_the_right_users(tmp_path):
    (tmp_path / "run.sh").write_text("x")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("/etc/passwd")
    packs = [fetch.Pack(Reference("ours", "static"))]
    cargo = upload.Cargo(
        str(tmp_path), packs, {"SECRET": "s3", "../x": "no"}, {"HTTP_PROXY": "p"}, "PEM", {"passwd": b"x"}, b"bb"
    )
    pipe = io.BytesIO()
    upload.write(pipe, cargo)
    pipe.seek(0)
    with tarfile.open(fileobj=pipe) as tar:
        found = {about.name: about for about in tar}
        secret = tar.extractfile("minipaas/build/env/SECRET").read()
    owned = {name for name, about in found.items() if about.uid == plan.UID}
    assert (
        secret == b"s3"
        and found["minipaas/build/env/SECRET"].mode == 0o600
        and found["minipaas/build/env"].mode == 0o700
    )
    assert {
        "app",
        "app/run.sh",
        "app/link",
        "minipaas/build/packs/01/bin/compile",
        "minipaas/cache",
        "minipaas/build/ca.pem",
    } <= owned
    assert {"minipaas/launch", "minipaas/busybox", "etc/passwd", "tmp"} <= set(found) - owned
    assert found["app/link"].issym() and found["app/run.sh"].mode == 0o755 and not any(".." in name for name in found)


def test_the_app_user_has_a_name_where_the_stack_knows_none():
    made = upload.with_user(b"root:x:0:0::/root:/bin/sh", b"")
    assert (
        made["passwd"] == b"root:x:0:0::/root:/bin/sh\napp:x:32767:32767:app:/app:/bin/sh\n"
        and made["group"] == b"app:x:32767:\n"
    )
    assert upload.with_user(made["passwd"], made["group"]) == {}


@given(st.binary(max_size=2000))
def test_what_a_build_hands_back_is_read_or_left_out(data):
    assert isinstance(upload.read(data), dict) and isinstance(stack._is_static(data), bool)


def test_a_static_program_is_told_from_one_with_a_loader():
    assert not stack._is_static(Path("/bin/sh").resolve().read_bytes())


def test_what_buildpacks_print_is_shown_in_their_own_form(capsys):
    show = build.Show()
    for line in ("-----> Installing", "       six", " !     old", "\x1b[31mred\x1b[0m\ttab", "10%\r20%\r"):
        show.line(line)
    assert capsys.readouterr().err == "-----> Installing\n       six\n !     old\n       red    tab\n       20%\n"


def test_output_without_end_is_shown_up_to_a_limit(capsys):
    show = build.Show()
    for _ in range(6000):
        show.line("x" * 5000)
    said = capsys.readouterr().err
    assert len(said) < build.SHOWN_LIMIT * 1.1 and said.endswith("the rest is not shown\n")


def local_pack(folder: Path, text: str = "echo") -> str:
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "bin/compile").write_text(text)
    (folder / "bin/compile").chmod(0o755)
    git = ["git", "-C", folder, "-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["git", "init", "-q", folder], [*git, "add", "-A"], [*git, "commit", "-q", "-m", "x"]):
        subprocess.run(words, check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


def test_a_buildpack_of_this_host_is_fetched_from_the_allowed_folder_only(world, tmp_path, monkeypatch):
    place = tmp_path / "packs/one"
    first = local_pack(place)
    wanted = references.parse(str(place))
    with pytest.raises(errors.Denied, match="not allowed"):
        fetch.get(wanted, "", {}, "")
    world.ok("buildpacks:set-property", "--global", "local-folder", str(tmp_path / "packs"))
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", "/nowhere")
        got = fetch.get(wanted, "", {}, "")
    assert got.commit == first and got.text == f"{place}#{first}"
    assert {about.name: file and file.read() for about, file in fetch.files(got)}["bin/compile"] == b"echo"
    second = local_pack(place, "echo more")
    assert fetch.get(wanted, first, {}, "").commit == first and fetch.get(wanted, "", {}, "").commit == second
    (tmp_path / "packs/out").symlink_to("/etc")
    for path in ("/etc", str(tmp_path / "packs/out"), str(tmp_path)):
        with pytest.raises(errors.Denied, match="must be below"):
            fetch.get(Reference("path", path), "", {}, "")
    with pytest.raises(errors.BuildFailed, match="cannot be fetched.*nothere"):
        fetch.get(Reference("path", str(place), "nothere"), "", {}, "")
    (tmp_path / "packs/plain").mkdir()
    with pytest.raises(errors.BuildFailed, match="not a git repository"):
        fetch.get(Reference("path", str(tmp_path / "packs/plain")), "", {}, "")


def test_a_buildpack_that_is_too_large_is_refused(world, tmp_path, monkeypatch):
    place = tmp_path / "one"
    local_pack(place)
    world.ok("buildpacks:set-property", "--global", "local-folder", str(tmp_path))
    got = fetch.get(references.parse(str(place)), "", {}, "")
    monkeypatch.setattr(fetch, "CONTENT_LIMIT", 2)
    with pytest.raises(errors.BuildFailed, match="has more than"):
        list(fetch.files(got))
    local_pack(place, "".join(chr(33 + number * 7919 % 94) for number in range(50000)))
    monkeypatch.setattr(fetch, "SIZE_LIMIT", 1024)
    with pytest.raises(errors.BuildFailed, match="cannot be fetched"):
        fetch.get(references.parse(str(place)), "", {}, "")


def test_git_is_given_the_proxies_and_nothing_of_the_hook(world, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/x")
    env = fetch._environment(references.parse("heroku/go"), {"HTTPS_PROXY": "p", "PIP_INDEX_URL": "i"}, "/ca")
    assert env["HTTPS_PROXY"] == "p" and env["GIT_SSL_CAINFO"] == "/ca" and env["GIT_ALLOW_PROTOCOL"] == "https"
    assert "GIT_DIR" not in env and "PIP_INDEX_URL" not in env


def test_only_a_builder_that_was_asked_builds():
    from plugins.builder_buildpack import hooks

    assert hooks.build_image(App("blog"), "dockerfile", "/x", "c", 1) is None and hooks.builder_names() == ["buildpack"]


def driven(folder, **programs: str):
    """Run drive.sh with one buildpack of these programs, its time limit 1 second; its status, output and reason."""
    here = folder / "build"
    for name in ("packs/01/bin", "names", "out", "env", "settings"):
        (here / name).mkdir(parents=True)
    (folder / "app").mkdir()
    (here / "names/01").write_text("https://example.org/pack.git")
    for name, text in programs.items():
        (here / "packs/01/bin" / name).write_text("#!/bin/sh\n" + text)
        (here / "packs/01/bin" / name).chmod(0o755)
    script = api.paths.resource("plugins/builder_buildpack/container/drive.sh").decode()
    for ours, tests in (
        ("here=/minipaas/build", f"here={here}"),
        ("build=/app", f"build={folder}/app"),
        ("limit=60", "limit=1"),
    ):
        assert ours in script
        script = script.replace(ours, tests, 1)
    (here / "drive").write_text(script)
    done = subprocess.run(
        ["/bin/sh", here / "drive"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100
    )
    reason = here / "out/reason"
    return done.returncode, done.stdout, reason.read_text() if reason.exists() else ""


@pytest.mark.parametrize(
    "detect", ["sleep 300", "trap '' TERM\nsleep 300 &\nwait; wait; sleep 300", "while :; do :; done"]
)
def test_a_detect_that_hangs_is_ended_and_named(tmp_path, detect):
    code, _, reason = driven(tmp_path, detect=detect, compile="exit 0")
    assert code == 1 and reason == "bin/detect of https://example.org/pack.git took more than 1 seconds"


def test_a_release_that_hangs_is_ended_and_named(tmp_path):
    code, said, reason = driven(tmp_path, detect="echo Slow", compile="echo compiled", release="sleep 300")
    assert code == 1 and "-----> Slow app detected (https://example.org/pack.git)\ncompiled\n" in said
    assert reason == "bin/release of https://example.org/pack.git failed or took more than 1 seconds"


def test_only_line_breaks_of_yaml_end_a_line():
    """YAML 1.1's, by which libyaml reads it at Heroku: fewer than Python's splitlines() knows."""
    said = "default_process_types:\r\n  web: a\u2003\r  worker: b\n".encode()
    assert release_yaml.parse(said) == {"default_process_types": {"web": "a\u2003", "worker": "b"}}
    for more in "\x85\u2028\u2029":
        with pytest.raises(errors.InvalidFile, match="^bin/release, line "):
            release_yaml.parse(f"default_process_types:\n  web: a{more}b\n".encode())
    for none in "\v\f\x1c":
        with pytest.raises(errors.InvalidFile, match="^bin/release, line 2"):
            release_yaml.parse(f"default_process_types:\n  web: a{none}b\n".encode())
    assert upload.with_user(b"x:x:1\rapp:x:32767:\n", b"g:x:32767:\n").keys() == {"passwd"}

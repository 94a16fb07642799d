"""builder:set, builder:report, and what builders make of it."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from minipaas_lib.bus import manager, values
from minipaas_lib.deploy import build
from minipaas_lib.model.app import App
from minipaas_lib.records import apps
from plugins.builder import authority, hooks, settings

# Made for this test: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=test
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUcxgLUEdKldZYAodlfY56c7yATqkwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjEwMzU5MDdaGA8yMTI2MTAyODAzNTkw
N1owDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIYf
j/NyBd9RTtHOWxP6awfJXMg5u29OJRdPLT7yLbDAcAAA1XJrjh/mBhvL83wXMkqh
vtGoUOoMhEE41mRNrkCjUzBRMB0GA1UdDgQWBBSBRXYa6BfqGItajTPA9USutmBe
pTAfBgNVHSMEGDAWgBSBRXYa6BfqGItajTPA9USutmBepTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCvg+CwEkE5zn3exHnE3ld7L4+6QluRdRUY
zQGM+2rsGgIhAOLrQQB0hl+fAKjtvw03UXZ0ZzMs72YEhM08Dg3ZtJip
-----END CERTIFICATE-----
"""


@pytest.fixture
def blog(world):
    world.ok("apps:create", "blog")
    return world


def held(name="blog"):
    return hooks.build_settings(apps.load(name))


def test_the_apps_own_word_comes_before_the_one_for_all(blog):
    blog.ok("builder:set", "--global", "http-proxy", "http://one:3128")
    blog.ok("builder:set", "--global", "npm-registry", "https://npm.example.org/")
    blog.ok("builder:set", "blog", "http-proxy", "http://two:3128")
    assert held()["environment"] == {
        "HTTP_PROXY": "http://two:3128",
        "http_proxy": "http://two:3128",
        "NPM_CONFIG_REGISTRY": "https://npm.example.org/",
    }
    blog.ok("builder:set", "blog", "http-proxy")
    assert held()["environment"]["HTTP_PROXY"] == "http://one:3128"
    blog.ok("builder:set", "--global", "http-proxy")
    blog.ok("builder:set", "--global", "npm-registry")
    assert (
        held() == {"environment": {}, "ca": ""}
        and "builder" not in apps.platform()
        and "builder" not in apps.load("blog").document
    )


def test_certificates_are_kept_apart_and_come_from_stdin(blog):
    blog.ok("builder:set", "--global", "ca-file", "-", stdin="# the company's\n" + CERTIFICATE)
    assert held()["ca"] == CERTIFICATE
    blog.ok("builder:set", "blog", "ca-file", "-", stdin=CERTIFICATE * 2)
    assert held()["ca"] == CERTIFICATE * 2
    report = blog.ok("builder:report", "blog")
    assert "2 certificates, sha256 " in report and "1 certificate, sha256 " in report and "BEGIN" not in report
    assert "BEGIN" not in store_text("apps/blog/app.toml")
    blog.ok("builder:set", "blog", "ca-file")
    blog.ok("builder:set", "blog", "ca-file")
    assert held()["ca"] == CERTIFICATE


def store_text(path):
    return api.kernel.store().read(path).text


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "hello",
        CERTIFICATE.replace("M", "@", 1),
        CERTIFICATE + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "x" * (authority.LIMIT + 1),
    ],
)
def test_what_is_no_certificate_is_refused(blog, pem):
    blog.refused("builder:set", "--global", "ca-file", "-", stdin=pem)


def test_over_ssh_no_file_of_the_host_is_read(blog, tmp_path):
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    assert "over ssh" in blog.refused("builder:set", "--global", "ca-file", str(tmp_path / "ca.pem"), key="anna")
    blog.ok("builder:set", "--global", "ca-file", "ca.pem")
    assert held()["ca"] == CERTIFICATE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("blog", "selected", "nosuch"), "one of: "),
        (("blog", "colour", "red"), "one of: selected"),
        (("blog",), "--help"),
        (("blog", "selected", "dockerfile", "x"), "--help"),
        (("nosuch", "build-dir", "x"), "no app"),
        (("nosuch", "ca-file", "-"), "no app"),
        (("--global", "http-proxy", "ftp://x"), "URL"),
        (("--global", "http-proxy", "http://u:geheim@h:99999999"), "URL"),
        (("--global", "pip-index-url", "http://a b"), "URL"),
        (("--global", "no-proxy", "a;b"), "hosts"),
    ],
)
def test_mistakes_are_told(blog, words, said):
    told = blog.refused("builder:set", *words)
    assert said in told and "geheim" not in told


@pytest.mark.parametrize(
    "folder",
    ["/etc", "..", "a/../b", "./a", "a//b", "", "a\nb", "a\0b", ".git", "a/.GIT/b", "a\\b", "x" * 256, "/", "//"],
)
def test_hostile_folders_are_refused(folder):
    with pytest.raises(errors.UsageError):
        settings.parse("build-dir", folder, [])


@given(st.text())
def test_a_folder_that_is_taken_stays_in_the_repository(text):
    try:
        path = settings.parse("build-dir", text, [])
    except errors.UsageError:
        return
    assert not os.path.isabs(path) and os.path.normpath(path) == path and not path.startswith("..")
    assert values.checked("source_folder", path) == path


@given(st.text(), st.sampled_from([*settings.URLS, "no-proxy"]))
def test_no_value_can_end_a_line_or_a_word(text, key):
    try:
        value = settings.parse(key, text, [])
    except errors.UsageError:
        return
    assert value and not set(value) & set(" \t\r\n\0'\"`$\\<>|") and value.isascii()


@given(
    st.from_regex(r"([A-Z]{1,5}:)?[A-Z0-9]{6,20}", fullmatch=True),
    st.from_regex(r"@[a-z]{1,9}(:[0-9]{1,4})?/?(/@a/)?", fullmatch=True),
)
def test_a_password_is_never_shown(user, rest):
    url = f"https://{user}{rest}"
    assert settings.parse("http-proxy", url, []) == url
    assert settings.masked(url) == f"https://***{rest}"


def test_a_report_hides_the_password(blog):
    assert "geheim" not in blog("builder:set", "--global", "https-proxy", "http://u:geheim@proxy:3128").err
    for words in (["blog"], ["--global"], ["blog", "--format", "json"]):
        told = blog.ok("builder:report", *words)
        assert "geheim" not in told and "http://***@proxy:3128" in told
    assert "dockerfile" in blog.ok("builder:report", "blog", "--builder-available")


def found(app="blog", context="/"):
    return manager.first("detect_builder", app=apps.load(app), context=str(context))


STRANGER = (
    "from minipaas_lib import api\n"
    "@api.hookimpl{mark}\n"
    "def detect_builder(app, context): return '{name}: there'\n"
    "@api.hookimpl\n"
    "def builder_names(): return ['{name}']\n"
)


def test_a_strangers_builder_takes_its_place_by_the_order_of_plugins(plugs, world, tmp_path):
    world.ok("apps:create", "blog")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")

    def stranger(name, mark=""):
        plugs.add(name, ["builder_names", "detect_builder"], hooks_py=STRANGER.format(name=name, mark=mark))

    stranger("z_after")
    assert found(context=tmp_path) == "dockerfile: there is a Dockerfile"
    stranger("b_before")
    assert found(context=tmp_path) == "b_before: there"
    stranger("z_first", "(tryfirst=True)")
    assert found(context=tmp_path) == "z_first: there"
    world.ok("builder:set", "blog", "selected", "z_after")
    assert found(context=tmp_path) == "z_after: builder:set selected it"
    assert {"b_before", "dockerfile", "z_after", "z_first"} <= set(build.builders())


def test_what_nobody_can_build_says_what_was_looked_for(blog, tmp_path):
    blog.ok("builder-dockerfile:set", "blog", "dockerfile-path", "docker/File")
    blog.ok("builder:set", "blog", "build-dir", "services/web/")
    error = build.unbuildable(apps.load("blog"))
    assert "docker/File" in error.message and "services/web" in error.message


def test_the_folder_takes_the_place_of_the_context(blog, tmp_path):
    context = tmp_path / "source"
    (context / "services/web").mkdir(parents=True)
    (context / "services/web/Procfile").write_text("web: x\n")
    (context / "secret").write_text("x")
    blog.ok("builder:set", "blog", "build-dir", "services/web")
    build.use_source_folder(apps.load("blog"), str(context))
    assert os.listdir(context) == ["Procfile"]


@pytest.mark.parametrize("wanted", ["link", "link/web", "file", "none", "up"])
def test_no_link_and_no_file_is_followed_to_it(blog, tmp_path, wanted):
    context = tmp_path / "source"
    (context / "services/web").mkdir(parents=True)
    (context / "file").write_text("x")
    (context / "link").symlink_to("services")
    (context / "up").symlink_to("/etc")
    with pytest.raises(errors.BuildFailed, match="does not exist in this commit"):
        build.use_source_folder(App("blog", {"builder": {"build-dir": wanted}}), str(context))


def test_settings_of_several_plugins_are_merged(plugs, world):
    world.ok("apps:create", "blog")
    world.ok("builder:set", "blog", "http-proxy", "http://one:1")
    world.ok("builder:set", "blog", "ca-file", "-", stdin=CERTIFICATE)
    plugs.add(
        "z_more",
        ["build_settings"],
        hooks__build_settings=(
            '#!/bin/sh\necho \'{"environment": {"HTTP_PROXY": "http://two:2", "GOPROXY": "x"}, "memory": 4096}\'\n'
        ),
    )
    merged = api.build_settings(apps.load("blog"))
    assert merged["ca"] == CERTIFICATE and merged["memory"] == 4096
    assert merged["environment"] == {"HTTP_PROXY": "http://two:2", "http_proxy": "http://one:1", "GOPROXY": "x"}


@pytest.mark.parametrize(
    ("hook", "answer"),
    [
        ("source_folder", "../x"),
        ("source_folder", "/x"),
        ("source_folder", 3),
        ("source_folder", "a\nb"),
        ("builder_names", ["A b"]),
        ("builder_names", "x"),
        ("builder_files", ["a\nb"]),
        ("builder_files", [1]),
        ("build_settings", {"ca": "x"}),
        ("build_settings", {"environment": {"A B": "x"}}),
        ("build_settings", {"environment": ["x"]}),
        ("build_settings", {"more": 1}),
        ("build_settings", {"memory": -1}),
        ("build_settings", {"memory": True}),
        ("build_settings", {"ca": CERTIFICATE + "-----BEGIN EC PRIVATE KEY-----"}),
    ],
)
def test_wrong_answers_of_a_stranger_are_refused(hook, answer):
    with pytest.raises(errors.PluginFailed):
        values.checked(hook, answer)

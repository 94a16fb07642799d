"""Bad input gets one clear sentence and exit 1 or 2, and changes nothing."""

import subprocess

import on_nodes
import pytest
from conftest import BUSYBOX_IMAGE, MINIPAAS, Repo, web, word


@pytest.fixture(scope="module")
def live_app(host, tmp_path_factory):
    """An app that runs and that nothing here may change; with its repository."""
    name = f"b-{word()}"
    made = Repo(host, tmp_path_factory.mktemp("live") / "repo", name, **web("hello from " + name))
    made.push()
    yield made
    subprocess.run([MINIPAAS, "apps:destroy", name, "--force", "--now"], capture_output=True, timeout=240)


@pytest.fixture
def live(live_app):
    """That app, its repository as it was pushed."""
    yield live_app
    live_app.git("reset", "-q", "--hard", "paas/main")


def refused(host, *words, raw=None, input="", saying=""):
    done = host.ssh(*words, raw=raw, input=input, ok=False)
    assert done.returncode in (1, 2), f"{words or raw}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.stderr.startswith(" !     ") and "Traceback" not in done.stderr
    assert saying in done.stderr
    return done


NAMES = [
    "TestApp",
    "test_app",
    "a/b",
    "a:latest",
    "a;id",
    "a|b",
    "$x",
    "../x",
    "-x",
    "a" * 64,
    "blog\n",
    "minipaas",
    "global",
    "",
    " ",
    "café",
    "a..b",
]


@pytest.mark.serial  # it looks at the list of all
@pytest.mark.parametrize("name", NAMES)
def test_bad_app_names(host, name):
    before = host.ssh("apps:list").stdout
    refused(host, "apps:create", name)
    assert host.ssh("apps:list").stdout == before


@pytest.mark.parametrize("words", [[], ["=x"], ["1A=x"], ["A"], ["A=1", "b c"], ["A-B=1"], ["MINIPAAS_X=1"]])
def test_bad_config(host, live, words):
    refused(host, "config:set", live.app, *words)
    assert host.ssh("config:keys", live.app).stdout == ""


def test_a_nul_in_config(host, app):
    host.ssh("apps:create", app)
    refused(host, "config:set", app, "-", input="A=a\0b\n")
    refused(host, "config:set", "--encoded", app, "A=AGI=")
    assert host.ssh("config:keys", app).stdout == ""


@pytest.mark.parametrize(
    "name",
    [
        "a b.test",
        "a;b.test",
        "a{b.test",
        "a}.test",
        "http://a.test",
        "a.test/x",
        "a.test:80",
        "-a.test",
        "a..test",
        "*.*.test",
        "a" * 64 + ".test",
        "x.*.test",
        "1.2.3.4",
    ],
)
def test_bad_domains(host, live, name):
    before = host.ssh("domains:report", live.app, "--format", "json").stdout
    refused(host, "domains:add", live.app, name)
    assert host.ssh("domains:report", live.app, "--format", "json").stdout == before


def test_a_domain_of_another_app_is_refused_by_name(host, app, other_app):
    host.ssh("apps:create", app)
    host.ssh("apps:create", other_app)
    host.ssh("domains:add", app, f"{app}.example.test")
    refused(host, "domains:add", other_app, f"{app.upper()}.Example.Test", saying=app)


PROCFILES = {
    "a duplicate type": "web: a\nweb: b\n",
    "an illegal type": "we b!: a\n",
    "no command": "web:\n",
    "10 MB": "web: " + "a" * (10 << 20) + "\n",
    "no colon": "web a\n",
}


@pytest.mark.parametrize("text", PROCFILES.values(), ids=PROCFILES)
def test_bad_procfiles(host, live, text):
    live.commit(Procfile=text)
    pushed = live.push(ok=False)
    assert pushed.returncode != 0 and "Procfile" in pushed.stderr
    assert host.get(host.url_host(live.app)) == (200, "hello from " + live.app)


def test_a_procfile_with_tabs_and_crlf_is_read(host, app, repo):
    repo.commit(Procfile="# ours\r\nweb:\texec httpd -f -p $PORT -h /www\r\n\r\n")
    repo.push()
    assert host.get(host.url_host(app))[0] == 200


@pytest.mark.parametrize("text", ["{", "[]", '{"formation": {"web": {"quantity": -1}}}', '{"env": {"A B": "1"}}'])
def test_bad_app_json(host, app, repo, text):
    repo.commit(app__json=text)
    pushed = repo.push(ok=False)
    assert pushed.returncode != 0 and "app.json" in pushed.stderr


def test_a_symlink_as_dockerfile_or_procfile_is_not_followed(host, app, repo):
    (repo.folder / "Procfile").symlink_to("/etc/passwd")
    repo.commit()
    pushed = repo.push(ok=False)
    assert "root:" not in pushed.stderr
    assert pushed.returncode != 0


@pytest.mark.parametrize(
    "text",
    [f"FROM {BUSYBOX_IMAGE}\nRUN false\n", "FROM\n", "nonsense\n", "FROM no-such-image:1\n"],
    ids=["fails", "no image", "nonsense", "unknown image"],
)
def test_a_dockerfile_that_fails(host, live, text):
    live.commit(Dockerfile=text)
    pushed = live.push(ok=False)
    assert pushed.returncode != 0 and " !     " in pushed.stderr
    assert host.get(host.url_host(live.app)) == (200, "hello from " + live.app)


def test_a_repository_without_dockerfile_says_what_was_looked_for(host, app, tmp_path):
    bare = Repo(host, tmp_path / "none", app, README="hello")
    pushed = bare.push(ok=False)
    assert pushed.returncode != 0 and "Dockerfile" in pushed.stderr


@pytest.mark.parametrize("words", [["web=x"], ["web=-1"], ["web=1000"], ["nosuch=1"], ["web"], ["=1"]])
def test_bad_scales(host, live, words):
    refused(host, "ps:scale", live.app, *words)
    assert len(host.containers(live.app)) == 1


@pytest.mark.parametrize(
    "mapping", ["80", "http:80", "http:0:1", "http:80:99999", "ftp:80:5000", "http:22:5000", "http:80:5000;"]
)
def test_bad_ports(host, live, mapping):
    refused(host, "ports:add", live.app, mapping)


BAD_KEYS = {
    "nonsense": "hello",
    "two lines": "ssh-ed25519 AAAA a\nssh-ed25519 AAAB b",
    "with options": 'command="id" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA x',
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----",
    "cut off": "ssh-ed25519 AAAAC3NzaC1lZDI1",
    "nothing": "",
}


@pytest.mark.serial  # it looks at the list of all
@pytest.mark.parametrize("text", BAD_KEYS.values(), ids=BAD_KEYS)
def test_bad_keys(host, text):
    before = host.ssh("ssh-keys:list").stdout
    refused(host, "ssh-keys:add", "intruder", input=text + "\n")
    assert host.ssh("ssh-keys:list").stdout == before


@pytest.mark.serial  # it looks at the list of all
@pytest.mark.parametrize("name", [".*", "a b", "", "-x", "a\nb", "a/b"])
def test_bad_key_names(host, name):
    key = (host.folder / "id.pub").read_text()
    refused(host, "ssh-keys:add", name, input=key)
    before = host.ssh("ssh-keys:list").stdout
    refused(host, "ssh-keys:remove", name)
    assert host.ssh("ssh-keys:list").stdout == before


def test_the_same_key_twice_is_refused_by_name(host):
    refused(host, "ssh-keys:add", "again", input=(host.folder / "id.pub").read_text(), saying=host.key_name)


def test_commands_on_an_app_that_does_not_exist(host):
    for words in (
        ["config:show"],
        ["logs"],
        ["ps:report"],
        ["domains:add", None, "x.test"],
        ["ps:restart"],
        ["run", None, "true"],
        ["url"],
    ):
        words = [w or "no-such-app" for w in words] if None in words else [*words, "no-such-app"]
        refused(host, *words, saying="no-such-app")


def test_a_broken_app_document_stops_that_app_alone(host, app, other_app, tmp_path):
    Repo(host, tmp_path / "other", other_app, **web("other")).push()
    Repo(host, tmp_path / "one", app, **web("one")).push()
    path = f"apps/{app}/app.toml"
    former = on_nodes.document(path)
    try:
        on_nodes.write_document(path, "[config\n")
        broken = host.ssh("config:show", app, ok=False)
        assert broken.returncode == 78 and app in broken.stderr and "line 1" in broken.stderr
        assert host.get(host.url_host(other_app))[0] == 200
        host.ssh("config:set", other_app, "A=1")
        assert host.ssh("doctor", ok=False).returncode == 1
        assert app in host.ssh("apps:list").stdout
    finally:
        on_nodes.write_document(path, former)

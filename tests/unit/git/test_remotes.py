"""What we say to other people's servers, and what is kept for it."""

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.git import destinations, git, remote_url, remotes, repository
from plugins.git import download, hosts


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path / "root"))
    return tmp_path / "root"


def test_credentials_come_back_and_only_we_can_read_them(root):
    remotes.set_credentials("github.com", "an:na@x", "p/w @:%")
    remotes.set_credentials("git.test:8080", "b", "c")
    assert remotes.credentials() == {"github.com": ("an:na@x", "p/w @:%"), "git.test:8080": ("b", "c")}
    assert stat.S_IMODE(os.stat(remotes.folder("credentials")).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(remotes.folder()).st_mode) == 0o700
    remotes.set_credentials("github.com", "", "")
    assert list(remotes.credentials()) == ["git.test:8080"]


@given(user=st.text(min_size=1, max_size=20), password=st.text(min_size=1, max_size=30))
def test_any_credentials_come_back_from_their_line(user, password):
    try:
        line = f"https://{remotes.quote(user, safe='')}:{remotes.quote(password, safe='')}@h"
    except UnicodeEncodeError:
        return
    found = remotes.re.fullmatch("https://([^:/@]*):([^:/@]*)@([^/@]+)", line)
    assert found and (remotes.unquote(found[1]), remotes.unquote(found[2])) == (user, password) and "\n" not in line


def test_git_gets_the_password_from_the_file_and_never_takes_it_out(root, tmp_path):
    remotes.set_credentials("git.test:8080", "anna", "s3cret")
    env = remotes.environment("blog")
    import subprocess

    asked = b"protocol=https\nhost=git.test:8080\n\n"
    done = subprocess.run(["git", "credential", "fill"], input=asked, env=env, capture_output=True, check=True)
    assert b"username=anna\npassword=s3cret" in done.stdout
    subprocess.run(["git", "credential", "reject"], input=done.stdout, env=env, check=True)
    assert remotes.credentials() == {"git.test:8080": ("anna", "s3cret")}
    assert "s3cret" not in str(env)


def test_no_password_goes_over_plain_http(root):
    """Not even one that an earlier version kept for it."""
    import subprocess

    remotes.set_credentials("git.test", "anna", "s3cret")
    with open(remotes.folder("credentials"), "a") as file:
        file.write("http://anna:s3cret@git.test\n")
    for asked in (
        "protocol=http\nhost=git.test\n\n",
        "protocol=http\nhost=git.test\nusername=protocol=https\n\n",
        "protocol=http\nhost=git.test\npath=x protocol=https\n\n",
    ):
        done = subprocess.run(
            ["git", "credential", "fill"], input=asked.encode(), env=remotes.environment("blog"), capture_output=True
        )
        assert done.returncode and b"s3cret" not in done.stdout
    assert download._authorization("http://git.test/x") == {} and download._authorization("https://git.test/x")
    remotes.set_credentials("other.test", "a", "b")
    with open(remotes.folder("credentials")) as file:
        assert all(line.startswith("https://") for line in file)
    said = b"fatal: could not read Username for 'http://x': terminal prompts disabled"
    assert "https only" in remotes.explained(git.error_line(said), said, "http://x/y.git")


def test_an_apps_own_key_comes_before_that_of_all_and_no_other_is_offered(root):
    assert "IdentityFile=none" in remotes.environment("blog")["GIT_SSH_COMMAND"]
    everywhere = remotes.generate_key()
    assert f"IdentityFile={remotes.folder('key')}" in remotes.environment("blog")["GIT_SSH_COMMAND"]
    own = remotes.generate_key("blog")
    assert (
        own != everywhere
        and own.endswith("minipaas-blog")
        and remotes.generate_key("blog") == own == remotes.public_key("blog")
    )
    command = remotes.environment("blog")["GIT_SSH_COMMAND"]
    assert f"IdentityFile={remotes.folder('apps', 'blog')}" in command
    for option in ("-F none", "IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=yes", "BatchMode=yes"):
        assert option in command
    remotes.rename("blog", "shop")
    assert remotes.public_key("shop") == own
    remotes.forget("shop")
    with pytest.raises(errors.NotFound, match="no deploy key for shop"):
        remotes.public_key("shop")
    assert remotes.public_key() == everywhere


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://github.com/x.git", ("github.com", 443)),
        ("http://[::1]:80/x", ("::1", 80)),
        ("ssh://git@h.test:22/x", ("h.test", 22)),
        ("git://h/x", ("h", 9418)),
        ("git@github.com:anna/x.git", ("github.com", 22)),
        ("h:x", ("h", 22)),
        ("/etc", ("", 0)),
        ("file:///x", ("", 0)),
        ("https://h:99999999/x", ("", 0)),
        ("ext::x", ("", 0)),
    ],
)
def test_where_a_url_leads(url, host):
    assert remote_url.host_of(url) == host


@given(st.text(max_size=40) | st.from_regex(r"(https?|ssh|git|ext|file)://[a-z:@\[\]0-9/.-]{0,20}", fullmatch=True))
def test_any_url_is_checked_with_an_error_of_ours(url):
    for check in (remotes.check_url, download.check_url):
        try:
            found = check(url)
        except errors.UsageError as error:
            assert error.message.isprintable()
            continue
        assert not found.startswith("-") and "::" not in found.split("/")[0]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "169.254.169.254",
        "fe80::1%eth0",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::ffff:127.0.0.1",
        "224.0.0.1",
        "fd00:ec2::254",
    ],
)
def test_addresses_of_our_own(address):
    assert destinations.refused(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "10.0.0.1", "192.168.1.1", "172.17.0.2", "2001:db8::1", "fd12::1"])
def test_addresses_of_others(address):
    assert not destinations.refused(address)


@pytest.mark.parametrize("text", ["", "-x", "a b", "h:0", "h:99999", "h:x", "a/b", "x\n", "[::1]"])
def test_what_is_no_host(text):
    with pytest.raises(errors.UsageError):
        hosts.parse(text)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (b"Host key verification failed.\nfatal: x", "git:allow-host"),
        (b"fatal: could not read Username for 'https://x': terminal prompts disabled", "git:auth"),
        (b"fatal: write error: File too large", "max-size"),
        (b"fatal: https://u:s3cret@h/x not found", "://***@h/x"),
        (
            (
                b"ssh: Could not resolve hostname x.invalid: Name or service not known\n"
                b"fatal: Could not read from remote repository."
            ),
            "DNS",
        ),
        (b"fatal: unable to access 'https://u:s3cret@x.invalid/': Could not resolve host: x.invalid", "getent hosts"),
        (
            b"fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none",
            "update-ca-certificates",
        ),
        (
            b"fatal: unable to access 'http://x/': Failed to connect to x port 80: Connection refused",
            "nothing answers there",
        ),
    ],
)
def test_what_git_says_is_explained(words, why):
    said = remotes.explained(git.error_line(words), words)
    assert why in said and "s3cret" not in said


def test_a_fetch_that_fails_leaves_nothing(root, monkeypatch):
    folder = repository.create("blog")
    before = sorted(os.listdir(folder)), sorted(os.listdir(os.path.join(folder, "objects")))
    with pytest.raises(errors.MinipaasError, match='"main" cannot be fetched'):
        repository.fetch_commit("blog", "http://127.0.0.1:9/x.git", "main", trusted=True)
    assert (sorted(os.listdir(folder)), sorted(os.listdir(os.path.join(folder, "objects")))) == before


def test_a_fetch_that_does_not_end_is_ended_with_all_its_processes(root, monkeypatch):
    import socket
    import time

    folder = repository.create("blog")
    monkeypatch.setattr(remotes, "FETCH_LIMIT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and says nothing
        began = time.monotonic()
        with pytest.raises(errors.Unavailable, match="did not fetch it"):
            repository.fetch_commit("blog", f"http://127.0.0.1:{server.getsockname()[1]}/x.git", "main", trusted=True)
    assert time.monotonic() - began < 10 and not [
        name for name in os.listdir(os.path.join(folder, "objects")) if name.startswith("tmp")
    ]

"""cluster.toml: which store is in use, and what a wrong file says."""

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import cluster_settings, errors, paths, store
from minipaas_lib.cluster_settings import ClusterSettings
from minipaas_lib.store.directory import DirectoryStore
from minipaas_lib.store.etcd import EtcdStore

URLS = ("http://10.0.0.1:2379", "https://[::1]:2379", "http://node")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    return tmp_path


def test_without_the_file_state_is_in_a_folder(root):
    assert cluster_settings.settings() is None
    assert isinstance(store.open_store(), DirectoryStore)


def test_with_the_file_state_is_in_etcd(root):
    found = ClusterSettings(URLS, "/ca", "/cert", "/key", "unix:///var/run/fleet.sock", {"tags": {"disk": "ssd"}})
    cluster_settings.write(found)
    assert cluster_settings.settings() == found
    assert stat.S_IMODE(os.stat(cluster_settings.path()).st_mode) == 0o600
    opened = store.open_store()
    assert isinstance(opened, EtcdStore) and store.open_store() is opened
    cluster_settings.remove()
    cluster_settings.remove()
    assert cluster_settings.settings() is None and store.open_store() is opened
    store.forget()
    assert isinstance(store.open_store(), DirectoryStore)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "etcd = []",
        'etcd = "http://a"',
        "etcd = [1]",
        'etcd = ["ftp://a"]',
        'etcd = ["http://"]',
        'etcd = ["http://a:0"]',
        'etcd = ["http://a:99999"]',
        'etcd = ["http://a/b"]',
        'etcd = ["http://u:p@a"]',
        'etcd = ["http://a\\n"]',
        'etcd = ["http://a"]\ncert = "/c"',
        'etcd = ["http://a"]\nkey = "/c"',
        'etcd = ["http://a"]\nca = 5',
        'etcd = ["http://a"]\nnode = 5',
        'etcd = ["http://a"]\nwrong = 5',
        "etcd = [",
        b"\xff",
    ],
)
def test_a_wrong_file_says_so_and_opens_nothing(root, text):
    (root / "cluster.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(errors.BadConfig) as caught:
        store.open_store()
    assert caught.value.hint == f"as root: editor {paths.root()}/cluster.toml"


def test_a_file_that_cannot_be_read_is_not_taken_for_none(root):
    (root / "cluster.toml").mkdir()
    with pytest.raises(errors.BadConfig):
        store.open_store()


@given(st.text() | st.from_regex(r"https?://[a-z0-9.\[\]:@/?#%-]{0,12}", fullmatch=True) | st.integers() | st.none())
def test_an_address_is_taken_whole_or_refused(url):
    from urllib.parse import urlsplit

    if cluster_settings.is_etcd_url(url):
        parts = urlsplit(url)
        assert parts.hostname and parts.port != 0 and url.startswith(("http://", "https://"))
        assert not set(url) & set(" \n\0@?#")

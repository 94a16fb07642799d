import os
import threading

import pytest

from minipaas_lib import errors
from minipaas_lib.store import documents, open_store, schema
from minipaas_lib.store.contract import LockHolder


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    return open_store()


def copies(tmp_path):
    return sorted(name for name in os.listdir(tmp_path) if name.startswith("state."))


def test_a_new_store_gets_the_version(store, tmp_path):
    assert schema.check(store) == {"schema": 1}
    assert store.read("platform.toml").text == "schema = 1\n"
    assert copies(tmp_path) == []


def test_a_platform_document_without_version_keeps_what_it_has(store):
    store.write("platform.toml", "# ours\n[domains]\nglobal = 'x.example'  # home\n")
    assert schema.check(store) == {"schema": 1, "domains": {"global": "x.example"}}
    text = store.read("platform.toml").text
    assert documents.read(store, "platform.toml") == {"schema": 1, "domains": {"global": "x.example"}}
    assert "# ours\n" in text
    assert "# home\n" in text


def test_the_usual_check_is_one_read(store, monkeypatch):
    schema.check(store)
    reads, read = [], store.read
    monkeypatch.setattr(store, "read", lambda path: reads.append(path) or read(path))
    for name in ("write", "lock", "list", "children", "exists"):
        monkeypatch.setattr(store, name, None)
    assert schema.check(store) == {"schema": 1}
    assert reads == ["platform.toml"]


def test_a_newer_store_is_refused_unchanged(store, tmp_path):
    store.write("platform.toml", "schema = 2\n")
    with pytest.raises(errors.BadConfig) as caught:
        schema.check(store)
    assert caught.value.message == "this store was written by a newer minipaas (schema 2, this one knows 1)"
    assert caught.value.exit_code == 78
    assert caught.value.hint
    assert store.list() == ["platform.toml"]
    assert copies(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["schema = 1\nx = \n", *(f"schema = {value}\n" for value in ("'1'", "true", "0", "1.0"))]
)
def test_a_broken_platform_document_is_named(store, text):
    store.write("platform.toml", text)
    with pytest.raises(errors.BadConfig) as caught:
        schema.check(store)
    assert "platform.toml" in caught.value.message
    assert store.location("platform.toml") in caught.value.hint
    assert store.read("platform.toml").text == text


def rename_domains(store):
    documents.edit(store, "apps/blog/app.toml", lambda document: document.update(names=document.pop("domains", [])))


def test_an_older_store_is_migrated_step_by_step_and_a_copy_kept(store, tmp_path):
    schema.check(store)
    store.write("apps/blog/app.toml", "domains = ['a']  # one\n")
    steps = []

    def second(store):
        steps.append(documents.read(store, "platform.toml")["schema"])
        store.write("apps/blog/live", "1")

    assert schema.migrate(store, {1: rename_domains, 2: second}, to=3) == {"schema": 3}
    assert documents.read(store, "apps/blog/app.toml") == {"names": ["a"]}
    assert steps == [2]
    [copy] = copies(tmp_path)
    assert copy.startswith("state.schema-1-20")
    assert (tmp_path / copy / "apps/blog/app.toml").read_text() == "domains = ['a']  # one\n"
    assert (tmp_path / copy / "platform.toml").read_text() == "schema = 1\n"
    assert os.stat(tmp_path / copy).st_mode & 0o777 == 0o700
    assert os.stat(tmp_path / copy / "platform.toml").st_mode & 0o777 == 0o600


def test_a_check_migrates(store, tmp_path, monkeypatch):
    schema.check(store)
    monkeypatch.setattr(schema, "SCHEMA", 2)
    monkeypatch.setattr(schema, "MIGRATIONS", {1: lambda store: None})
    assert schema.check(store) == {"schema": 2}
    assert schema.check(store) == {"schema": 2}
    assert len(copies(tmp_path)) == 1


def test_a_broken_migration_stops_where_it_was_and_goes_on_later(store, tmp_path):
    schema.check(store)
    ran = []

    def fails(store):
        raise errors.Unavailable("no room")

    with pytest.raises(errors.Unavailable):
        schema.migrate(store, {1: lambda store: ran.append(1), 2: fails}, to=3)
    assert documents.read(store, "platform.toml") == {"schema": 2}
    assert schema.migrate(store, {1: fails, 2: lambda store: ran.append(2)}, to=3) == {"schema": 3}
    assert ran == [1, 2]
    assert [name[:14] for name in copies(tmp_path)] == ["state.schema-1", "state.schema-2"]


def test_without_room_for_the_copy_nothing_is_migrated(store, tmp_path, monkeypatch):
    schema.check(store)
    ran = []

    def refuse(*_):
        raise errors.Unavailable("cannot copy the store: no space left on device")

    monkeypatch.setattr(store, "export", refuse)
    with pytest.raises(errors.Unavailable):
        schema.migrate(store, {1: ran.append}, to=2)
    assert ran == []
    assert documents.read(store, "platform.toml") == {"schema": 1}


def test_a_gap_in_the_migrations_is_said_before_anything_is_done(store, tmp_path):
    schema.check(store)
    with pytest.raises(errors.BadConfig):
        schema.migrate(store, {1: lambda store: None}, to=3)
    assert documents.read(store, "platform.toml") == {"schema": 1}
    assert copies(tmp_path) == []


def test_the_second_of_two_migrations_finds_it_done(store, tmp_path):
    schema.check(store)
    held = store.lock("schema", LockHolder.here("migration of the store", "root"))
    found = []
    second = threading.Thread(target=lambda: found.append(schema.migrate(store, {}, to=2)))
    second.start()
    store.write("platform.toml", "schema = 2\n")
    held.release()
    second.join(10)
    assert found == [{"schema": 2}]
    assert copies(tmp_path) == []


def test_a_document_that_is_no_text_does_not_stop_the_copy(store, tmp_path):
    schema.check(store)
    store.write("apps/blog/app.toml", "")
    (tmp_path / "state/apps/blog/app.toml").write_bytes(b"\xff")
    assert schema.migrate(store, {1: lambda store: None}, to=2) == {"schema": 2}
    [copy] = copies(tmp_path)
    assert (tmp_path / copy / "apps/blog/app.toml").read_bytes() == b"\xff"

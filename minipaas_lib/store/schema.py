"""The schema version of the store: an older store is migrated, with a copy kept; a newer one is refused."""

import time
from collections.abc import Callable

from minipaas_lib import errors, paths
from minipaas_lib.store import documents, layout
from minipaas_lib.store.contract import LockHolder, Store

SCHEMA = 1

Migrations = dict[int, Callable[[Store], None]]

MIGRATIONS: Migrations = {}
"""From a version to the function that migrates to the next one. It runs again if killed, so it must be idempotent."""

_LOCK = "schema"
_WAIT = 120.0  # seconds for a migration that another command has begun


def check(store: Store) -> dict:
    """Check that this program can use the store, and return the platform document (one small read).

    A new store gets its version here; an older one is migrated. Raises errors.BadConfig for a newer store and for a
    platform.toml that cannot be read.
    """
    try:
        platform = documents.read(store, layout.PLATFORM)
    except errors.NotFound:
        platform = {}
    version = _version(store, platform, SCHEMA)
    if version == SCHEMA:
        return platform
    if version is None:
        return _set_version(store, SCHEMA)
    return migrate(store)


def migrate(store: Store, migrations: Migrations | None = None, to: int | None = None) -> dict:
    """Bring the store to version `to` (SCHEMA) and return the platform document.

    A copy of the old tree is kept beside paths.state(). The version is written after each step, so a killed migration
    continues where it stopped. Raises errors.Locked, errors.BadConfig, errors.Unavailable.
    """
    migrations = MIGRATIONS if migrations is None else migrations
    to = SCHEMA if to is None else to
    with store.lock(_LOCK, LockHolder.here("migration of the store", "root"), wait=_WAIT):
        platform = documents.read(store, layout.PLATFORM)
        version = _version(store, platform, to)
        if version is None or version == to:  # another command has done it
            return platform
        missing = [step for step in range(version, to) if step not in migrations]
        if missing:
            raise errors.BadConfig(
                f"this minipaas cannot migrate the store from schema {version} to {to}",
                "install a minipaas between the two versions first",
            )
        store.export(f"{paths.state()}.schema-{version}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        for step in range(version, to):
            migrations[step](store)
            platform = _set_version(store, step + 1)
        return platform


def _version(store: Store, platform: dict, known: int) -> int | None:
    """The version in `platform`, None for a new store. Raises errors.BadConfig."""
    version = platform.get("schema")
    if version is None:
        return None
    if type(version) is not int or version < 1:
        raise errors.BadConfig(
            f"{layout.PLATFORM}: schema is not a version number", f"edit {store.location(layout.PLATFORM)}"
        )
    if version > known:
        raise errors.BadConfig(
            f"this store was written by a newer minipaas (schema {version}, this one knows {known})",
            "install that version of minipaas, or a later one",
        )
    return version


def _set_version(store: Store, version: int) -> dict:
    return documents.edit(store, layout.PLATFORM, lambda document: document.update(schema=version), create=True)

"""The people and machines that may use this host: one document of the store each, `users/<name>.toml`."""

from typing import NamedTuple

from minipaas_lib import api
from plugins.ssh_keys import authorized_keys, public_key

ADMIN = "admin"
_PATIENCE = 30.0  # seconds to wait for another change of the keys


class User(NamedTuple):
    name: str
    keys: list[public_key.PublicKey]
    role: str


def path(name: str) -> str:
    return f"users/{name}.toml"


def load(name: str) -> User:
    """Raises errors.NotFound, errors.BadConfig."""
    document = api.kernel.documents.read(api.kernel.store(), path(name))
    return User(name, [_key(name, text) for text in document.get("keys", [])], document.get("role", ""))


def _key(name: str, text: str) -> public_key.PublicKey:
    try:
        return public_key.read(text)
    except api.errors.UsageError as error:
        where = api.kernel.store().location(path(name))
        raise api.errors.BadConfig(
            f"{path(name)} has a key that cannot be used: {error.message}", f"correct it: edit {where}"
        ) from None


def all_users() -> list[User]:
    """All users by name; a broken document is reported, and locks nobody else out."""
    found = []
    for file in api.kernel.store().children("users"):
        if file.endswith(".toml"):
            try:
                found.append(load(file.removesuffix(".toml")))
            except api.errors.BadConfig as error:
                api.output.warn(error.message)
                api.output.hint(error.hint)
    return found


def require_admin() -> None:
    """Raise errors.Denied unless root or the key of an admin runs this command."""
    who = api.caller.key()
    if who == "root":
        return
    try:
        role = load(who).role
    except api.errors.NotFound:
        role = ""
    if role != ADMIN:
        raise api.errors.Denied(f"the key {who} may not change the keys of this host", "ask an admin of this host")


def add(name: str, key: public_key.PublicKey) -> None:
    """Admit a key. Raises errors.UsageError if the name or the key exists already."""
    with lock():
        present = all_users()
        sync(present)  # an earlier command may have been killed before it came to that
        for user in present:
            if user.name == name:
                raise api.errors.UsageError(
                    f"there is already a key named {name}", f"give another name, or: ssh-keys:remove {name}"
                )
            if any(other.base64 == key.base64 for other in user.keys):
                raise api.errors.UsageError(
                    f"this key already exists, under the name {user.name}", f"ssh-keys:list {user.name}"
                )
        document = {
            "created": api.kernel.holder().since,
            "creator": api.caller.key(),
            "role": ADMIN,
            "keys": [key.line],
        }
        try:
            api.kernel.documents.write(api.kernel.store(), path(name), document, if_revision="")
        except api.errors.Conflict:  # a document that could not be read, which all_users has named
            raise api.errors.UsageError(f"there is already a key named {name}", f"ssh-keys:remove {name}") from None
        try:
            sync([*present, User(name, [key], ADMIN)])
        except BaseException:
            api.kernel.store().delete(path(name))
            raise


def remove(name: str) -> list[User]:
    """Remove a key, first from sshd's file; return those that stay. Raises errors.NotFound."""
    with lock():
        users = all_users()
        if not api.kernel.store().exists(path(name)):
            raise missing(name, users)
        left = [user for user in users if user.name != name]
        sync(left)
        api.kernel.store().delete(path(name))
    return left


def missing(name: str, users: list[User]) -> api.errors.NotFound:
    """The error for a key that does not exist."""
    import difflib

    near = difflib.get_close_matches(name, [user.name for user in users], 1)
    return api.errors.NotFound(
        f"there is no key {api.names.safe(name)}", f"did you mean {near[0]}?" if near else "ssh-keys:list"
    )


def lock():
    """The lock around every change of the keys."""
    return api.kernel.store().lock("ssh-keys", api.kernel.holder(), wait=_PATIENCE)


def sync(users: list[User]) -> None:
    """Make sshd's file say who may come in. Raises errors.Unavailable."""
    try:
        authorized_keys.write(lines(users))
    except OSError as error:
        raise api.errors.Unavailable(
            f"{authorized_keys.location()} cannot be written: {error.strerror or error}",
            "it must belong to paas; to check: doctor",
        ) from None


def lines(users: list[User]) -> list[tuple[str, public_key.PublicKey]]:
    """What the file is made of."""
    return [(user.name, key) for user in users for key in user.keys]

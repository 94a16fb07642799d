"""Hooks of SSH keys."""

from minipaas_lib import api


@api.hookimpl
def installed():
    from plugins.ssh_keys import users

    with users.lock():
        users.sync(users.all_users())


@api.hookimpl
def doctor(app):
    if app is not None:
        return None
    from plugins.ssh_keys import authorized_keys, users

    part = "ssh keys"
    try:
        found = users.lines(users.all_users())
        if not found:
            return [
                api.Finding(part, False, "nobody can push: there is no key", "minipaas ssh-keys:add <name> <file>.pub")
            ]
        if not authorized_keys.is_current(found):
            said = f"{authorized_keys.location()} does not match the store"
            return [api.Finding(part, False, said, "minipaas install:finish")]
    except OSError as error:
        return [
            api.Finding(
                part, False, f"authorized_keys cannot be read: {error.strerror or error}", "minipaas install:finish"
            )
        ]
    except api.errors.MinipaasError as error:
        return [api.Finding(part, False, error.message, error.hint)]
    return [api.Finding(part, True, f"{len(found)} in place")]

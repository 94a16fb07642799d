"""doctor's checks of third-party plugins."""

from minipaas_lib import api


@api.hookimpl
def doctor(app):
    if app is not None:
        return None
    found = []
    for name in api.kernel.installed.names():
        if not api.kernel.installed.is_enabled(name):
            continue
        try:
            api.kernel.manifest.read(api.kernel.installed.folder(name))
        except api.errors.MinipaasError as error:
            found.append(
                api.Finding(
                    f"plugin {name}",
                    False,
                    f"is not used: {error.message}",
                    f"plugin:update {name}, or: plugin:disable {name}",
                )
            )
            continue
        if name not in api.kernel.index.load().installed:
            found.append(api.Finding(f"plugin {name}", False, "is not in the index", f"minipaas plugin:enable {name}"))
    return found

"""Check before a build whether the host can bear it, and record afterwards what it took."""

import contextlib

from minipaas_lib import api

_watches: dict = {}  # app -> the host.Watch over its build


@api.hookimpl
def before_build(app):
    from plugins.build_guard import cap, host, room, settings

    engine = host.engine()
    room.make(app, engine.folder)
    limit = room.build_memory()
    problem = cap.begin(engine.driver, limit)
    if problem and limit:
        api.output.warn(f"this build has no memory limit: {problem}")
    elif limit:
        api.output.info(f"builds may use {settings.size(limit)} of memory here (guard:report)")
    _watches[app.name] = host.Watch(engine.folder)


@api.hookimpl
def build_settings(app):
    from plugins.build_guard import room

    return {"memory": room.build_memory()}


@api.hookimpl
def after_build(app):
    from plugins.build_guard import cap, room

    cap.end()
    watch = _watches.pop(app.name, None)
    if watch is not None:
        with contextlib.suppress(api.errors.MinipaasError):  # a note that is not taken refuses no release
            room.remember(app.name, watch.before, watch.end())

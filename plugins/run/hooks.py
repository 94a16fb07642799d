"""doctor's checks of one-off processes."""

from minipaas_lib import api


@api.hookimpl
def doctor(app):
    if app is None or api.live_release(app.name) is None:
        return None
    import time

    from plugins.run import detached

    try:
        late = detached.overdue(api.scheduler().detached(app.name), time.time())
    except api.errors.Unavailable:
        return None  # the scheduler's own findings say it
    if not late:
        return None
    part = f"app {app.name}: one-off processes"
    return [
        api.Finding(
            part, False, f"still running past their time limit: {' '.join(late)}", f"to stop them: run:list {app.name}"
        )
    ]

from minipaas_lib import api


class Telling:
    """The scheduler of docker, with a word on each start. One of your own has all methods of bus/engines.py."""

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def start(self, spec):
        api.output.info(f"starting {spec.name}")
        return self._inner.start(spec)


@api.hookimpl(tryfirst=True)
def scheduler():
    return Telling(api.call_one("scheduler", "scheduler_docker"))

from minipaas_lib import api


class Telling:
    """The router of nginx, with a word on each change. One of your own has all methods of bus/engines.py."""

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def apply(self, route):
        self._inner.apply(route)
        api.output.info(f"{route.app} is routed: {route.generation}")


@api.hookimpl(tryfirst=True)
def router():
    return Telling(api.call_one("router", "router_nginx"))

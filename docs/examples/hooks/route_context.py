from minipaas_lib import api


@api.hookimpl
def route_context(app, commit):
    return {"domains": [f"{app.name}.staging.example.org"]}  # beside what other plugins say

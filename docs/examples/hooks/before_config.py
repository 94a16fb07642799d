from minipaas_lib import api


@api.hookimpl
def before_config(app, names, config):
    if "TZ" in names and config.get("TZ", "").startswith("/"):
        raise api.errors.UsageError("TZ is the name of a time zone, not a path", "give one such as: TZ=Europe/Berlin")

from minipaas_lib import api


@api.hookimpl
def detect_builder(app, context):
    if api.repository.read_file(context, "index.html", 1 << 20) is None:  # follows no link out of the source tree
        return None
    return "example: there is an index.html"

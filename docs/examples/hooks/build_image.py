import subprocess

from minipaas_lib import api


@api.hookimpl
def build_image(app, builder, context, commit, release):
    if builder != "example":
        return None
    words = ["docker", "build", "--quiet", "--tag", f"example/{app.name}:v{release}", context]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        raise api.errors.BuildFailed(done.stderr.strip().rpartition("\n")[2], f"logs:failed {app.name}")
    return api.Build(done.stdout.strip(), "example", {"web": "exec serve --port $PORT"})

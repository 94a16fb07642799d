import subprocess

from minipaas_lib import api


@api.hookimpl
def images_unused(app, kept, newest):
    names = {f"example/{app.name}:v{number}" for number in range(1, newest + 1)}
    words = ["docker", "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}", f"example/{app.name}"]
    listed = subprocess.run(words, capture_output=True, text=True, timeout=60).stdout.split("\n")
    old = [name for image, _, name in (line.partition(" ") for line in listed) if name in names and image not in kept]
    return [
        name for name in old if subprocess.run(["docker", "rmi", name], capture_output=True, timeout=60).returncode == 0
    ]

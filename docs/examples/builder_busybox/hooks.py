"""Build an image of a repository that has a folder `public` and no Dockerfile."""

import os

from minipaas_lib import api

NAME = "busybox"
BUSYBOX = "/bin/busybox"
DOCKERFILE = "FROM scratch\nENV PATH=/bin\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nCOPY public /public\n"
COMMAND = "exec busybox httpd -f -p $PORT -h /public"


@api.hookimpl
def detect_builder(app, context):
    if not os.path.isfile(os.path.join(context, "public", "index.html")):
        return None
    if os.path.exists(os.path.join(context, "Dockerfile")):
        return None
    return f"{NAME}: there is a public/index.html"


@api.hookimpl
def builder_names():
    return [NAME]


@api.hookimpl
def builder_files(app):
    return ["public/index.html"]


@api.hookimpl
def build_image(app, builder, context, commit, release):
    if builder != NAME:
        return None
    import shutil
    import subprocess

    if not os.path.exists(BUSYBOX):
        raise api.errors.BuildFailed("this host has no busybox to serve files with", "apt-get install busybox-static")
    shutil.copy(BUSYBOX, os.path.join(context, "busybox"))
    with open(os.path.join(context, "Dockerfile"), "w", encoding="utf-8") as file:
        file.write(DOCKERFILE)
    image_file = context.rstrip("/") + ".image"
    labels = ["--label", f"minipaas.app={app.name}", "--label", f"minipaas.commit={commit}"]
    command = ["docker", "build", *labels, "--iidfile", image_file, "."]
    environment = os.environ | {"DOCKER_BUILDKIT": "0"}  # the older builder needs no other program beside docker's own
    building = subprocess.Popen(
        command, cwd=context, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in building.stdout:
        api.output.info(line.rstrip())
    if building.wait() != 0:
        raise api.errors.BuildFailed("docker could not build the image, for the reason above", "try again")
    try:
        with open(image_file, encoding="utf-8") as file:
            image = file.read().strip()
    finally:
        os.unlink(image_file)
    return api.Build(image=image, builder=NAME, commands={"web": COMMAND})

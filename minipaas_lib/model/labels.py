"""The labels by which we tell our containers from others and from each other.

A container has the labels of its image too, which anybody may write into a Dockerfile. So whoever creates a container
says all of ours: what is not said of this container is said to be empty, and empty means the same as not there.
"""

APP = "minipaas.app"
RELEASE = "minipaas.release"
PROCESS = "minipaas.process"
INDEX = "minipaas.index"
PORT = "minipaas.port"
RESTART = "minipaas.restart"
RUN = "minipaas.run"  # a one-off container carries this, with the app's name, and an empty APP
NODE = "minipaas.node"  # a process that a cluster runs here carries this; those of this host alone do not
OWNER = "minipaas.owner"  # the process of ours that waits for a one-off, or that builds
DETACHED = "minipaas.detached"  # a one-off that nobody waits for carries this too, with its number,
UNTIL = "minipaas.until"  # ... and this, when it is to end: seconds since 1970, 0 is never
BUILD = "minipaas.buildpack-build"  # the container in which an app is built carries this, with the app's name

LAUNCHER = "minipaas.launcher"  # of an image: the program that its entry point starts commands with
COMMIT = "minipaas.commit"  # of an image, as the next two
BUILDER = "minipaas.builder"
BUILDPACKS = "minipaas.buildpacks"

_OF_CONTAINERS = (APP, RELEASE, PROCESS, INDEX, PORT, RESTART, RUN, NODE, OWNER, DETACHED, UNTIL, BUILD)
_OF_IMAGES = (LAUNCHER, COMMIT, BUILDER, BUILDPACKS)


def complete(labels: dict[str, str]) -> dict[str, str]:
    """The labels of a container, with an empty value for each of ours that it does not have."""
    return dict.fromkeys((*_OF_CONTAINERS, *_OF_IMAGES), "") | labels

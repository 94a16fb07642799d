"""The labels that identify minipaas containers and images.

A container inherits the labels of its image, which anybody may write into a Dockerfile. So every container is created
with all of minipaas' labels: those that do not apply are empty, and empty means the same as absent.
"""

APP = "minipaas.app"
RELEASE = "minipaas.release"
PROCESS = "minipaas.process"
INDEX = "minipaas.index"
PORT = "minipaas.port"
RESTART = "minipaas.restart"
RUN = "minipaas.run"  # a one-off container carries this, with the app's name, and an empty APP
NODE = "minipaas.node"  # a process that a cluster runs here carries this; those of a single host do not
OWNER = "minipaas.owner"  # the minipaas process that waits for a one-off, or that builds
DETACHED = "minipaas.detached"  # a one-off that nobody waits for carries this too, with its number,
UNTIL = "minipaas.until"  # ... and this, the time of its end: seconds since 1970, 0 is never
BUILD = "minipaas.buildpack-build"  # the container in which an app is built carries this, with the app's name

LAUNCHER = "minipaas.launcher"  # of an image: the program that its entry point starts commands with
COMMIT = "minipaas.commit"  # of an image, as the next two
BUILDER = "minipaas.builder"
BUILDPACKS = "minipaas.buildpacks"

_OF_CONTAINERS = (APP, RELEASE, PROCESS, INDEX, PORT, RESTART, RUN, NODE, OWNER, DETACHED, UNTIL, BUILD)
_OF_IMAGES = (LAUNCHER, COMMIT, BUILDER, BUILDPACKS)


def complete(labels: dict[str, str]) -> dict[str, str]:
    """The labels of a container, with an empty value for each of these that it does not have."""
    return dict.fromkeys((*_OF_CONTAINERS, *_OF_IMAGES), "") | labels

"""git:from-image and git:load-image."""

import sys

import click

from minipaas_lib import api


def author_arguments(function):
    """The arguments `[<git-username> <git-email>]`."""
    function = click.argument("email", metavar="<git-email>]", default="")(function)
    return click.argument("username", metavar="[<git-username>", default="")(function)


@api.commands.command("git:from-image")
@api.commands.wait_option
@api.commands.app_argument
@click.argument("image", metavar="<image>")
@author_arguments
def git_from_image(app, image, username, email):
    """Deploy an image that was made elsewhere, without a build.

    It is pulled, with the credentials of registry:login, and deployed as a push is: its command, its port (EXPOSE) and
    a Procfile beside it count as they would of a Dockerfile. The app's repository gets a commit with the file
    .minipaas-image.toml, which names the image and its ID; other files of an app that runs an image already stay, so
    that a Procfile or app.json can be committed beside it. The same image again is not deployed again.

    \b
    e.g.: git:from-image blog ghcr.io/anna/blog:1.2
          git:from-image blog nginx@sha256:<digest>
          git:from-image blog blog:1.2 Anna anna@example.org
    """
    author = api.repository.author_line(username, email)
    from plugins.builder_image import arrive

    arrive.from_image(app, image, author)


@api.commands.command("git:load-image")
@api.commands.wait_option
@api.commands.app_argument
@click.argument("image", metavar="<image>")
@author_arguments
def git_load_image(app, image, username, email):
    """Deploy an image that comes on stdin, as `docker save` writes it.

    <image> is its name and tag. What comes may name no other image.

    The rest is as with git:from-image.

    \b
    e.g.: docker save blog:1.2 | ssh paas@<host> git:load-image blog blog:1.2
    """
    author = api.repository.author_line(username, email)
    from plugins.builder_image import arrive

    arrive.load_image(app, image, author, sys.stdin.buffer)

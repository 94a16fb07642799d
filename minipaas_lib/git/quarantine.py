"""A place in an app's repository for objects that nobody has looked at yet, as git's own for a push.

It is named as git names its own, so that repository.tidy removes what a killed command left.
"""

import contextlib
import os
import shutil

from minipaas_lib import errors, folders
from minipaas_lib.git import git


class Quarantine:
    """`folder` is the place, `repository` what it belongs to."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.objects = os.path.realpath(os.path.join(repository, "objects"))
        self.folder = os.path.join(self.objects, f"tmp_objdir-incoming-{os.getpid()}")

    def environment(self) -> dict[str, str]:
        """For a git process that writes its objects here, and sees those of the repository."""
        place = os.path.join(self.folder, "objects")
        return git.environment(GIT_OBJECT_DIRECTORY=place, GIT_ALTERNATE_OBJECT_DIRECTORIES=self.objects)

    def scratch(self) -> str:
        """The folder of an empty repository that goes with the quarantine: for refs that only git itself wants."""
        place = os.path.join(self.folder, "repository")
        git.run(["init", "--quiet", "--bare", "--template=", place])
        return place

    def release(self) -> None:
        """Give the objects their final names in the repository. Raises errors.Unavailable when the disk refuses."""
        try:
            link_objects(os.path.join(self.folder, "objects"), self.objects)
        except OSError as error:
            raise errors.Unavailable(
                f"the commit cannot be stored: {error.strerror}", "look for a full disk or a wrong owner: doctor"
            ) from None


@contextlib.contextmanager
def quarantine(repository: str):
    """A new Quarantine; it is removed at the end, and what was not released with it."""
    place = Quarantine(repository)
    folders.remove(place.folder)
    try:
        os.makedirs(os.path.join(place.folder, "objects", "pack"), mode=0o700)
    except OSError as error:
        raise errors.Unavailable(
            f"the repository cannot be written: {error.strerror}", "look for a full disk or a wrong owner: doctor"
        ) from None
    try:
        yield place
    finally:
        folders.remove(place.folder)


def link_objects(quarantine: str, objects: str) -> None:
    """Give every object file of the quarantine its final name too. A pack's index comes last: it shows the pack."""
    for folder, _, files in folders.walk(quarantine):
        part = os.path.relpath(folder, quarantine)
        target = os.path.normpath(os.path.join(objects, part))
        wanted = [name for name in files if part != "." and not name.startswith("tmp_") and not name.endswith(".keep")]
        if wanted:
            os.makedirs(target, mode=0o700, exist_ok=True)
        for name in sorted(wanted, key=lambda name: (name.endswith(".idx"), name)):
            _link(os.path.join(folder, name), os.path.join(target, name))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        pass  # the same name is the same content
    except OSError:  # a file system without hard links
        fresh = f"{os.path.dirname(target)}/tmp_obj_{os.getpid()}"
        shutil.copyfile(source, fresh)
        os.rename(fresh, target)

"""A quarantine in an app's repository for unchecked objects, like git's own for a push.

It has the name of git's own, so that repository.tidy removes what a killed command left.
"""

import contextlib
import os
import shutil

from minipaas_lib import errors, folders
from minipaas_lib.git import git


class Quarantine:
    """A quarantine in `folder`, for the repository in the folder `repository`."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.objects = os.path.realpath(os.path.join(repository, "objects"))
        self.folder = os.path.join(self.objects, f"tmp_objdir-incoming-{os.getpid()}")

    def environment(self) -> dict[str, str]:
        """The environment for a git process that writes its objects here and also sees those of the repository."""
        place = os.path.join(self.folder, "objects")
        return git.environment(GIT_OBJECT_DIRECTORY=place, GIT_ALTERNATE_OBJECT_DIRECTORIES=self.objects)

    def scratch(self) -> str:
        """The folder of an empty repository inside the quarantine, for refs that only git itself needs."""
        place = os.path.join(self.folder, "repository")
        git.run(["init", "--quiet", "--bare", "--template=", place])
        return place

    def release(self) -> None:
        """Link the objects into the repository. Raises errors.Unavailable when the disk refuses."""
        try:
            link_objects(os.path.join(self.folder, "objects"), self.objects)
        except OSError as error:
            raise errors.Unavailable(
                f"the commit cannot be stored: {error.strerror}", "look for a full disk or a wrong owner: doctor"
            ) from None


@contextlib.contextmanager
def quarantine(repository: str):
    """A new Quarantine, removed at the end with everything that was not released."""
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
    """Link every object file of the quarantine into `objects`. A pack's index comes last: it makes the pack visible."""
    for folder, _, files in folders.walk(quarantine):
        part = os.path.relpath(folder, quarantine)
        target = os.path.normpath(os.path.join(objects, part))
        object_files = [
            name for name in files if part != "." and not name.startswith("tmp_") and not name.endswith(".keep")
        ]
        if object_files:
            os.makedirs(target, mode=0o700, exist_ok=True)
        for name in sorted(object_files, key=lambda name: (name.endswith(".idx"), name)):
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

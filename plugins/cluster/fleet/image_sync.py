"""Bring images to nodes that lack them, from this host or from a node that has them, and remove old ones there.

The image keeps its ID.
"""

from collections.abc import Callable

from minipaas_lib import api
from plugins.cluster.engine import LocalScheduler
from plugins.cluster.fleet import client
from plugins.cluster.fleet.nodes import Nodes

AT_ONCE = 4  # nodes loading at the same time


def fetch(on: LocalScheduler, near: Nodes, image: str, node: str, app: str) -> None:
    """Have the image on this very node, from any other: it was away when the others were given it.

    Raises errors.DeployFailed when nobody can be reached who has it.
    """
    if on.has_image(image):
        return
    for machine in near.all():
        if machine.id == node:
            continue
        try:
            if near.on(machine).has_image(image):
                on.take_image(near.on(machine).give_image(image))
                return
        except api.errors.Unavailable as error:
            api.output.warn(f"node {near.name(machine.id)} is skipped: {error.message}")
    raise api.errors.DeployFailed("no reachable node has the image", f"ps:rebuild {app}")


def bring(local: LocalScheduler, near: Nodes, image: str, machines: list[client.Machine], app: str) -> None:
    """Have the image on all of `machines`; the loss of any one of them is then no loss of the image.

    Raises errors.DeployFailed when nobody has it, or when no machine could be given it; a machine that cannot be
    reached is told of: its agent fetches the image once it is back.
    """
    from concurrent.futures import ThreadPoolExecutor

    def lacks(machine: client.Machine) -> bool | None:
        try:
            return not near.on(machine).has_image(image)
        except api.errors.Unavailable as error:
            api.output.warn(f"node {near.name(machine.id)} is skipped: {error.message}")
            return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lacks, machines))
        lacking = [machine for machine, answer in zip(machines, answers, strict=True) if answer]
        having = [machine for machine, answer in zip(machines, answers, strict=True) if answer is False]
        if not lacking:
            if not having:
                raise api.errors.DeployFailed("no node can be reached", "cluster:status")
            return
        source = (
            local
            if local.has_image(image)
            else next((near.on(m) for m in near.all() if near.on(m).has_image(image)), None)
        )
        if source is None:
            raise api.errors.DeployFailed("the image is gone from this host and from every node", f"ps:rebuild {app}")
        api.output.info("bringing the image to " + ", ".join(sorted(near.name(machine.id) for machine in lacking)))
        for _ in pool.map(lambda machine: near.on(machine).take_image(source.give_image(image)), lacking):
            pass


def catch_up(on: LocalScheduler, near: Nodes, node: str, fits: Callable[[str], bool]) -> None:
    """Have on `on`, the node of that id, what other nodes keep of apps that it `fits`: it was away, or is new.

    An image that no node can give is not missed here: see fetch. Raises errors.Unavailable.
    """
    there = set(on.images())
    for machine in near.all():
        if machine.id == node:
            continue
        try:
            kept = needed(near.on(machine).images(), there)
            for image in (image for image, app in kept.items() if fits(app)):
                api.output.info(f"an image of {kept[image]} comes from {near.name(machine.id)}")
                on.take_image(near.on(machine).give_image(image))
                there.add(image)
        except api.errors.Unavailable as error:
            api.output.warn(f"node {near.name(machine.id)} is skipped: {error.message}")


def needed(images: dict[str, str], there: set[str]) -> dict[str, str]:
    """Those of `images` that are not `there` and that a release may need again: ID -> the app that has it now.

    An image that was not built for an app is none of them: who starts it brings it.
    """
    names, wanted = api.app_names(), {}
    for image, name in images.items():
        if name and image not in there:
            apps = [name] if name in names else names  # it has another name by now, or left a clone behind
            if owner := next((app for app in apps if _may_go_back(app, image)), None):
                wanted[image] = owner
    return wanted


def _may_go_back(app: str, image: str) -> bool:
    try:
        return any(
            release.image == image and release.status == "released" for release in api.kernel.newest_releases(app)
        )
    except api.errors.MinipaasError:  # it was removed meanwhile, or has a document that cannot be read
        return False


def drop_unused(everywhere: Callable[[Callable], list], app: str, kept: set[str], newest: int) -> list[str]:
    """Remove from the nodes the images of an app that no release needs, as the hook images_unused has it; their IDs.

    Those of an app that is no more, as after a rename, go too. `everywhere` calls something with each node's scheduler.
    """
    images_by_node = dict(everywhere(lambda on: (on, on.images())))
    # Only now: what was brought for a release that is being made is in its document by then.
    former = {name for images in images_by_node.values() for name in images.values()} - set(api.app_names()) - {app, ""}
    wanted = set().union(kept, *map(api.kernel.trashed.images, former))
    names = set(api.app_names())  # again: one may have come back from the trash meanwhile
    wanted = wanted.union(*map(_newest, names - {app}))
    wanted |= {release.image for release in api.releases(app) if release.number > newest}
    of = {app, *(former - names)}

    def drop(on: LocalScheduler) -> set[str]:
        old = {image for image, name in images_by_node.get(on, {}).items() if name in of and image not in wanted}
        return {image for image in old if on.drop_image(image)}

    return sorted(set().union(*everywhere(drop)))


def _newest(app: str) -> set[str]:
    """The image of an app's newest release, which may just be being made: a clone has its original's."""
    numbers = api.kernel.release_numbers(app)
    try:
        return {api.release(app, numbers[-1]).image} if numbers else set()
    except api.errors.NotFound:
        return set()

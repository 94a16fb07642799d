"""cluster:join-head, and a head that leaves while others stay: no app is moved, and no process touched.

Every step is repeatable, and cluster.toml comes after the note in the store and goes before it: a head that was killed
in between is one that is noted and not heard of, never one that nobody knows of.
"""

import contextlib
import os
import time

from minipaas_lib import api
from plugins.cluster.head import follower_process, git_sync, head_registry, init, migration, saved_options
from plugins.cluster.transport import protocol


def findings(cluster: "api.kernel.cluster.ClusterSettings") -> list["api.Finding"]:
    """What is to be said of this host as another head of that cluster. Raises errors.Unavailable."""
    store, own = api.kernel.open_cluster(cluster), api.kernel.cluster.settings()
    names = [] if own is not None else api.app_names()
    present = head_registry.known(store)
    result = []
    if names:
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        result.append(api.Finding("apps", False, f"this host has apps of its own: {some}", f"apps:destroy {names[0]}"))
    if not present or not store.exists(protocol.keys_path("head")):
        why = "this etcd does not hold the state of a cluster, or a host is just joining or leaving"
        result.append(api.Finding("heads", False, why, "on the host that has the apps: minipaas cluster:init"))
    elif present.get(api.caller.host(), {}).get("machine", head_registry.machine()) != head_registry.machine():
        why = f"another head is called {api.caller.host()} too"
        result.append(api.Finding("heads", False, why, "rename this host: sudo hostnamectl set-hostname <name>"))
    else:
        result.append(api.Finding("heads", True, ", ".join(sorted(present))))
    return result


def join(cluster: "api.kernel.cluster.ClusterSettings", address: str) -> None:
    """Make this host, which has no apps, a head of a cluster that is there. Raises errors.MinipaasError."""
    store = api.kernel.open_cluster(cluster)
    with head_registry.lock(store):
        if any(not finding.ok for finding in findings(cluster)):  # the last head has begun to leave meanwhile
            raise api.errors.Conflict("the heads have changed in the meantime", "cluster:join-head")
        head_registry.register(store, address)
        api.kernel.cluster.write(cluster)
    init.forget()
    saved_options.remove(saved_options.LEAVING)
    catch_up()
    follower_process.ensure_running()
    init.wait_for_head()
    for name in _strangers():
        api.output.warn(f"the cluster does not know the key {name} of this host; to add it: ssh-keys:add {name}")


def _strangers() -> list[str]:
    """Keys of this host's own store, that count no more."""
    shared = set(api.kernel.store().children("users"))
    own = api.kernel.open_directory().children("users")
    return sorted(file.removesuffix(".toml") for file in own if file not in shared)


def catch_up(keys: bool = True) -> None:
    """Have on this host what others changed: whom sshd lets in (`keys`), and the commits of all releases."""
    if keys:
        api.notify("installed")
    for name in api.app_names():
        try:
            git_sync.catch_up(name)
        except Exception as error:
            api.kernel.app_has_failed(name, error)


def may_step_out() -> bool:
    """Whether other heads stay when this one leaves; if none does, it is noted as a head no more.

    Raises errors.Unavailable where nothing is heard of those that there are.
    """
    store = api.kernel.store()
    with head_registry.lock(store):
        others = set(head_registry.others(store))
        if not others:
            head_registry.unregister(store, api.caller.host())
            return False
        if not others & head_registry.alive(store):
            one = sorted(others)[0]
            raise api.errors.Unavailable(
                f"the other heads are not responding: {', '.join(sorted(others))}",
                f"start {one} again, or if it is gone for good: cluster:remove {one}",
            )
    return True


def step_out(cluster: "api.kernel.cluster.ClusterSettings") -> None:
    """Be a head no more, while others stay. Nothing is changed for the apps."""
    saved_options.write(saved_options.LEAVING, cluster, out="yes")
    own = api.kernel.open_directory()
    for folder in ("apps", "counters"):  # what was copied to etcd once, and is old by now
        own.delete_tree(folder)
    with migration.all_locked():  # so that no command of this host is in the middle of something
        api.kernel.cluster.remove()
    init.forget()
    finish(cluster)


def finish(cluster: "api.kernel.cluster.ClusterSettings") -> None:
    """What is left to do on a host that is no head any more."""
    _wait_for_follower()
    router = api.router()
    for app in router.routes():
        router.remove(app)
    _put_repositories_aside()
    api.notify("installed")
    store = api.kernel.open_cluster(cluster)
    head_registry.unregister(store, api.caller.host())
    with contextlib.suppress(api.errors.NotFound):
        store.delete(f"routers/{head_registry.ROUTER}{api.caller.host()}")
    saved_options.remove(saved_options.LEAVING)


def _wait_for_follower() -> None:
    """It would take this host's routes to be the cluster's again. Raises errors.Unavailable."""
    end = time.monotonic() + 90
    while follower_process.is_running():
        if time.monotonic() > end:
            raise api.errors.Unavailable("the process that follows the routes does not stop", "pgrep -af node:follow")
        time.sleep(0.2)


def _put_repositories_aside() -> None:
    """An app that is made here later must not find the history of another of its name; nothing is thrown away."""
    folder = os.path.dirname(api.paths.repository("x"))
    if os.path.isdir(folder):
        api.kernel.folders.remove(folder + ".left")
        os.rename(folder, folder + ".left")

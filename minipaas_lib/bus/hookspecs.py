"""The hooks, by moment. This file is the contract; the reference page is generated from it.

A plugin implements a hook as a function of the same name that takes only the arguments it needs. Unless said
otherwise a hook may refuse: raising errors.MinipaasError ends the command with that sentence.
"""

import pluggy

hookspec = pluggy.HookspecMarker("minipaas")
hookimpl = pluggy.HookimplMarker("minipaas")  # with which plugins mark theirs

# app ------------------------------------------------------------------------------------------------------------


@hookspec
def app_created(app):
    """An app was created.

    app: App. Called after its document is written. Raising is reported; the app stays.
    """


@hookspec
def app_renamed(app, former):
    """An app was renamed.

    app: App under the new name; former: str, the old name. Its document and everything else of apps/<app>/ in the
    store, its releases and its repository are moved already; move what the plugin keeps elsewhere. Another app may
    already have the old name. Raising is reported; the new name stays. Called again if the first call was killed.
    """


@hookspec
def app_destroyed(app):
    """An app is gone for good: remove what the plugin keeps of it.

    app: App, in its last state. Called not when apps:destroy moves an app to the trash but when it is removed from
    there, and then only if no other app has taken its name. Raising is reported; the removal continues.
    """


@hookspec
def before_clone(app, name):
    """An app is about to be copied to a new one.

    app: App, the original; name: str, the name of the copy. Return list[str], the parts of its document that only one
    app can have, so that they are not copied: "table" or "table.key" ("domains.names"); or None. Everything else that
    plugins have in apps/<app>/ of the store is copied. Raising refuses the copy.
    """


@hookspec
def before_restore(app):
    """An app is about to come back from the trash.

    app: App, as it will be. Raising refuses it, for instance because another app has taken something of it.
    """


@hookspec
def before_config(app, names, config):
    """Config of an app is about to be set or unset: refuse now what a later build or deploy would refuse.

    app: App, unchanged, or None for the global config; names: list[str] of what is set or unset; config: dict[str,
    str], the app's own (or the global) config after the change. Raising refuses it, and nothing is changed.
    """


@hookspec
def config_changed(app, names):
    """Config of an app was changed and, if it runs, is live.

    app: App, or None for the global config; names: list[str] of what was set or unset. Raising is reported.
    """


# build ----------------------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def source_folder(app):
    """From which folder of its repository is the app built?

    app: App. Return str, a path in the repository ("services/web"), or None for all of it. The build sees only that
    folder; Procfile and app.json are read from it too. Raising refuses the build.
    """


@hookspec(firstresult=True)
def detect_builder(app, context):
    """Can this plugin build that source tree?

    app: App; context: str, the folder with the unpacked commit. Return the builder's name with the reason after a
    colon ("dockerfile: there is a Dockerfile"), or None. The first answer wins, so a builder's place among the others
    is the order of plugins: see docs/plugins.md.
    """


@hookspec
def builder_names():
    """Which builders does this plugin provide? These names can be set explicitly instead of being detected.

    Return list[str], names as detect_builder returns them, or None.
    """


@hookspec
def builder_files(app):
    """Which files would make this plugin's builders build a source tree?

    app: App. Return list[str] such as ["Dockerfile"], or None. They are listed in the error for a source tree that no
    builder can build.
    """


@hookspec
def build_settings(app):
    """What builds of an app need for downloads (proxies, registries, certificates), and how much memory they may use.

    app: App. Return a dict with any of: environment (dict[str, str], variables for the commands of a build), ca (str,
    certificates in PEM that downloads trust instead of the usual ones), memory (int, bytes that a build in a
    container of its own may use; 0 is no limit); or None. A builder gets the merged answers of all plugins from
    api.build_settings(app): the later plugin's variables win, certificates are joined, the smallest memory limit
    counts. Raising refuses the build.
    """


@hookspec(firstresult=True)
def may_use_image(app, owner):
    """May a build of an app use an image of another app?

    app: App that is built; owner: str, the name of the other app. Return True to allow it, False to refuse it, None to
    leave it to others. Unless a plugin allows it, it is refused: an image holds its app's files. api.caller.key() is
    the SSH key that deploys.
    """


@hookspec(firstresult=True)
def docker_config(app):
    """Which docker credentials should pulls and pushes for this app use?

    app: App. Return str, a folder with a config.json for docker's client (`docker --config <folder>`), or None. Raising
    refuses the build.
    """


@hookspec
def before_build(app, context, commit):
    """A build is about to start.

    app: App; context: str, the folder, which may be changed; commit: str. Raising refuses the build.
    """


@hookspec(firstresult=True)
def build_image(app, builder, context, commit, release):
    """Make an image of the source tree.

    app: App; builder: str, the name detect_builder gave; context: str, the folder; commit: str; release: int, the
    number the release will have. Return a Build, or None when `builder` is not this plugin's. Print live output
    through api.output. Raise errors.BuildFailed; leave no half image behind.
    """


@hookspec
def after_build(app, build, commit):
    """A build succeeded.

    app: App; build: Build; commit: str. Raising refuses the release.
    """


@hookspec
def images_unused(app, kept, newest):
    """Old releases of an app are being dropped: remove the images this plugin made for them.

    app: App; kept: set[str], the IDs of images that a kept release of any app runs; newest: int, the number of the
    newest release. Keep those images, images built for a later number, and images that a container uses. Called
    without the app's lock, in parallel to other commands; also after a build was killed, and when an app is gone for
    good. Return list[str], what was removed, or None. Raising is reported.
    """


# release --------------------------------------------------------------------------------------------------------


@hookspec
def release_environment(app, build, commit):
    """Variables for the environment of a release's processes; the app's config overrides them.

    app: App; build: Build; commit: str. Return dict[str, str] or None. Raising refuses the release.
    """


@hookspec
def container_options(app, process_type):
    """Options for the containers of a process type.

    app: App; process_type: str. Return a dict with any of: memory (bytes), cpus (float), pids_limit, stop_timeout
    (seconds), restart (policy, see ContainerSpec), wait_to_retire (seconds an old web process keeps its requests),
    checks ("disabled": the old processes stop before new ones start; "skipped": new ones are not checked), mounts
    (list of [source, target, "rw"|"ro"]); or None. Raising refuses the release.
    """


@hookspec
def before_release(app, release):
    """A release is about to be written.

    app: App; release: Release. Raising refuses it: nothing is written.
    """


@hookspec
def release_task(app, release):
    """Work to be done for a new release before any of its processes starts.

    app: App; release: Release. Raising fails the release.
    """


# deploy ---------------------------------------------------------------------------------------------------------


@hookspec
def before_deploy(app, release, previous):
    """Processes of a release are about to start.

    app: App; release: Release; previous: Release or None, the live one. Raising fails the release.
    """


@hookspec
def check_process(app, release, process):
    """A new process runs and its port accepts connections: may it take traffic?

    app: App; release: Release; process: Process. Called once for each process, web first. Raising errors.DeployFailed
    fails the release; the previous one keeps serving.
    """


@hookspec
def after_deploy(app, release, previous):
    """A release is live.

    app: App; release: Release; previous: Release or None. Raising is reported; the release stays live. Called again for
    the same release if the first call was killed.
    """


@hookspec
def deploy_failed(app, release, previous, reason):
    """A release failed, and `previous` still serves.

    app: App; release: Release; previous: Release or None; reason: str, one sentence. Raising is reported.
    """


# domains --------------------------------------------------------------------------------------------------------


@hookspec
def domains_changed(app, domains):
    """The domains of an app changed and, if it runs, are live.

    app: App; domains: list[str], all current ones. Raising is reported.
    """


@hookspec
def route_context(app, commit):
    """Contribute to the app's route.

    app: App; commit: str, the commit of the release the route is for ("" for one without). Return a dict with any of:
    domains (list[str]), listeners (list of [scheme, host port, container port]), enabled (bool), settings (dict for the
    router), template (str); or None. Lists of several plugins are joined, settings are merged. Raising refuses the
    change.
    """


@hookspec
def route_changed(app, route):
    """The route of an app was replaced.

    app: App; route: Route, or None if it was removed. Raising is reported.
    """


# choice of engine -----------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def scheduler():
    """Return the object that runs processes (see bus.engines.Scheduler), or None to leave it to another plugin."""


@hookspec(firstresult=True)
def router():
    """Return the object that routes requests (see bus.engines.Router), or None to leave it to another plugin."""


# access and operations ------------------------------------------------------------------------------------------


@hookspec
def authorize(key, command, app):
    """May this key do that?

    key: str, the SSH key's name; command: str, such as "config:set" or "git-receive-pack"; app: str, or "". Raise
    errors.Denied to refuse. Called once for each app that the command names, wherever it was typed (both names of
    apps:rename and apps:clone, -a <app>), after the words are parsed and before anything is read or changed; with ""
    for a command that names no app. For one that means all apps (--all, --global, doctor, a report without an app) it
    is called with "" and then for every app. For a third-party plugin's command it is also called for each word that is
    the name of an app. completion:words counts as the command that is being completed.
    """


@hookspec
def before_git(app):
    """git is about to read or write the repository of an app on a cluster's host; another host may have changed it.

    app: App. Called before a clone, a fetch or a push through SSH, without the app's lock. Raising refuses it.
    """


@hookspec
def report(app):
    """Lines for the report of an app.

    app: App. Return dict[str, str | int | bool | list[str]] with keys such as "ps-running", or None.
    """


@hookspec
def doctor(app):
    """Look for what is broken.

    app: App, or None for the host itself. Return a list of Finding (see bus.findings), in the order in which a
    request passes the parts. Never raise for something that is broken: report it in a finding.
    """


@hookspec
def installed():
    """minipaas was installed or upgraded on this host: set up what the plugin needs. Must be idempotent.

    Also called when the host becomes one of several heads of a cluster or stops being one, and when another head has
    changed who may use it.
    """

"""The hooks, by moment. This file is the contract and the reference page is made of it.

A plugin implements a hook as a function of the same name that takes only the arguments it needs. Unless said
otherwise a hook may refuse: raising errors.MinipaasError ends the command with that sentence.
"""

import pluggy

hookspec = pluggy.HookspecMarker("minipaas")

# app ------------------------------------------------------------------------------------------------------------


@hookspec
def app_created(app):
    """An app was created.

    app: App. Called after its document is written. Raising is reported; the app stays.
    """


@hookspec
def app_renamed(app, former):
    """An app got another name.

    app: App under the new name; former: str, the old name. Its document, what else of apps/<app>/ is in the store, its
    releases and its repository go along by themselves; move what the plugin keeps elsewhere. Another app may have the
    old name by now. Raising is reported; the new name stays. Called again where the first call was killed.
    """


@hookspec
def app_destroyed(app):
    """An app is gone for good: remove what the plugin keeps of it.

    app: App, as it last was. Not called when apps:destroy moves an app to the trash, but when it is removed from there,
    and then only if no other app has taken its name. Raising is reported; the rest goes on.
    """


@hookspec
def before_clone(app, name):
    """An app is about to be copied to a new one.

    app: App, the one that is copied; name: str, the new one's. Return list[str], what of its document only one app can
    have and the copy does not get: "table" or "table.key" ("domains.names"); or None. What else plugins have in
    apps/<app>/ of the store is copied. Raising refuses the copy.
    """


@hookspec
def before_restore(app):
    """An app is about to come back from the trash.

    app: App, as it will be. Raising refuses it, such as when another app has what belonged to it.
    """


@hookspec
def before_config(app, names, config):
    """Config of an app is about to be set or unset: what a later build or deploy would refuse is refused now.

    app: App, as it is, or None for the global config; names: list[str] of what is set or unset; config: dict[str, str],
    the app's own (or the global) config as it would be. Raising refuses it, and nothing is changed.
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

    app: App. Return str, a path in the repository ("services/web"), or None for all of it. The build sees that folder
    only, Procfile and app.json included. Raising refuses the build.
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
    """Which builders does this plugin bring? They are what can be chosen instead of being found.

    Return list[str], names as detect_builder gives them, or None.
    """


@hookspec
def builder_files(app):
    """Which files would make this plugin's builders build a source tree?

    app: App. Return list[str] such as ["Dockerfile"], or None. They are in the error for a source tree that nobody can
    build.
    """


@hookspec
def build_settings(app):
    """What builds of an app need to download (proxies, registries, certificates), and what they may use.

    app: App. Return a dict with any of: environment (dict[str, str], variables for the commands of a build), ca (str,
    certificates in PEM that downloads trust in place of the usual ones), memory (int, bytes that a build in a
    container of its own may use; 0 is no limit); or None. A builder gets all plugins' answers from
    api.build_settings(app): of two variables the later plugin's wins, certificates are joined, the least memory
    counts. Raising refuses the build.
    """


@hookspec(firstresult=True)
def may_use_image(app, owner):
    """May a build of an app use an image of another app?

    app: App that is built; owner: str, the name of the other app. Return True to let it, False to refuse it, None to
    leave it to others. Where nobody lets it, it is refused: an image holds its app's files. api.caller.key() is the
    key of who deploys.
    """


@hookspec(firstresult=True)
def docker_config(app):
    """With which credentials does docker get the images of an app, and send them?

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
    """Old releases of an app are being let go: remove the images this plugin made for them.

    app: App; kept: set[str], the IDs of images that a kept release of any app runs, and newest: int, the number of the
    newest release: those images, and what was built for a later number, must stay; so must an image that a container
    uses. Called beside other commands, without the app's lock; also after a build was killed, and when an app is gone
    for good. Return list[str], what was removed, or None. Raising is reported.
    """


# release --------------------------------------------------------------------------------------------------------


@hookspec
def release_environment(app, build, commit):
    """Variables for the environment of a release's processes, beneath the app's config, which wins.

    app: App; build: Build; commit: str. Return dict[str, str] or None. Raising refuses the release.
    """


@hookspec
def container_options(app, process_type):
    """Options for the containers of a process type.

    app: App; process_type: str. Return a dict with any of: memory (bytes), cpus (float), pids_limit, stop_timeout
    (seconds), restart (policy, see ContainerSpec), wait_to_retire (seconds an old web process keeps its requests),
    checks ("disabled": the old processes stop before new ones start; "skipped": new ones are not waited for), mounts
    (list of [source, target, "rw"|"ro"]); or None. Raising refuses the release.
    """


@hookspec
def before_release(app, release):
    """A release is about to be written.

    app: App; release: Release. Raising refuses it: nothing is written.
    """


@hookspec
def release_task(app, release):
    """Work to be done in the name of a new release before any of its processes starts.

    app: App; release: Release. Raising makes the release a failed one.
    """


# deploy ---------------------------------------------------------------------------------------------------------


@hookspec
def before_deploy(app, release, previous):
    """Processes of a release are about to start.

    app: App; release: Release; previous: Release or None, the live one. Raising makes the release a failed one.
    """


@hookspec
def check_process(app, release, process):
    """A new process runs and its port accepts: may it take traffic?

    app: App; release: Release; process: Process. Called once for each, web first. Raising errors.DeployFailed fails
    the release; what served before goes on.
    """


@hookspec
def after_deploy(app, release, previous):
    """A release is live.

    app: App; release: Release; previous: Release or None. Raising is reported; the release stays live. Called again for
    the same release where the first call was killed.
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

    app: App; domains: list[str], all of them now. Raising is reported.
    """


@hookspec
def route_context(app, commit):
    """Part of the app's route.

    app: App; commit: str, the commit of the release the route is for ("" for one without). Return a dict with any of:
    domains (list[str]), listeners (list of [scheme, host port, container port]), enabled (bool), settings (dict for the
    router), template (str); or None. Lists of several plugins are joined, settings are merged. Raising refuses the
    change.
    """


@hookspec
def route_changed(app, route):
    """The route of an app was replaced.

    app: App; route: Route, or None when it was taken away. Raising is reported.
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
    errors.Denied to refuse. Asked once for each app that the command is about, wherever it was typed (both names of
    apps:rename and apps:clone, -a <app>), when the words are parsed and before anything is read or changed; with "" for
    a command that names no app. One that means all of them (--all, --global, doctor, a report without an app) is asked
    for with "" and then for every app there is. Of a command of a plugin from elsewhere also each word that is an app's
    name is asked for. completion:words is asked for as the command that is being completed.
    """


@hookspec
def before_git(app):
    """git is about to read or write the repository of an app, on a host of a cluster: another may have changed it.

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
    request meets the parts. Never raise for something that is broken: say it in a finding.
    """


@hookspec
def installed():
    """minipaas was installed or upgraded on this host: put in place what the plugin needs. Must be repeatable.

    Called too when the host has become one of several heads of a cluster or is none any more, and when another of them
    has changed who may use it.
    """

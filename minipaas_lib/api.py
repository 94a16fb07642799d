"""The public face: all that a plugin, ours or a stranger's, may import of minipaas.

Everything is looked up when it is first used, so that a plugin pays only for what it touches.
"""

import importlib

TYPE_CHECKING = False  # as in typing, which is not imported for it

_MODULES = {
    # name in the api -> module, or (module, name in it)
    "errors": "errors",
    "folders": "folders",
    "names": "names",
    "paths": "paths",
    "output": "output",
    "caller": "caller",
    "authority": "bus.authority",
    "address": "address",
    "firewall": "firewall",
    "downloads": "downloads",
    "cluster": "cluster_settings",
    "commands": "commands",
    "index": "bus.index",
    "installed": "bus.installed",
    "manifest": "bus.manifest",
    "strangers": "bus.strangers",
    "plugin_table": ("pipeline.plugin_table", "plugin_table"),
    "call_one": ("bus.manager", "call_one"),
    "unknown_command": ("well_known", "error"),
    "command_named": ("plugin_commands", "named"),
    "documents": "store.documents",
    "entries": "model.entries",
    "image": "model.image",
    "labels": "model.labels",
    "repository": "pipeline.repository",
    "remotes": "pipeline.remotes",
    "destinations": "pipeline.destinations",
    "service": "model.service",
    "App": ("model.app", "App"),
    "Build": ("model.release", "Build"),
    "Release": ("model.release", "Release"),
    "ContainerSpec": ("model.process", "ContainerSpec"),
    "Process": ("model.process", "Process"),
    "Diagnosis": ("model.process", "Diagnosis"),
    "Route": ("model.route", "Route"),
    "Listener": ("model.route", "Listener"),
    "Backend": ("model.route", "Backend"),
    "Finding": ("bus.findings", "Finding"),
    "Entry": ("pipeline.commits", "Entry"),
    "LogLine": ("bus.engines", "LogLine"),
    "Detached": ("bus.engines", "Detached"),
    "Written": ("bus.engines", "Written"),
    "activate": ("vendor", "activate"),
    "end_with_key": ("admission", "end_with_key"),
    "store": ("store", "open_store"),
    "open_cluster": ("store", "open_cluster"),
    "copy_store": ("store.copy", "copy"),
    "open_directory": ("store", "open_directory"),
    "forget_store": ("store", "forget"),
    "retiring": ("pipeline.retire", "waiting"),
    "bare_lock": ("pipeline.locks", "bare_lock"),
    "app_names": ("pipeline.apps", "names"),
    "app_is_gone": ("pipeline.apps", "is_gone"),
    "of_each_app": ("pipeline.apps", "of_each"),
    "app_has_failed": ("pipeline.apps", "has_failed"),
    "app": ("pipeline.apps", "load"),
    "renamed_to": ("pipeline.apps", "renamed_to"),
    "create_app": ("pipeline.lifecycle", "create"),
    "destroy_app": ("pipeline.trash", "destroy"),
    "rename_app": ("pipeline.rename", "rename"),
    "clone_app": ("pipeline.clone", "clone"),
    "edit_app": ("pipeline.change", "edit_app"),
    "platform": ("pipeline.apps", "platform"),
    "edit_platform": ("pipeline.apps", "edit_platform"),
    "live_release": ("pipeline.releases", "live"),
    "release": ("pipeline.releases", "load"),
    "releases": ("pipeline.releases", "all_of"),
    "newest_releases": ("pipeline.releases", "newest"),
    "release_numbers": ("pipeline.releases", "numbers"),
    "release_before": ("pipeline.releases", "before"),
    "kept_releases": ("pipeline.releases", "kept"),
    "images_in_use": ("pipeline.leftovers", "images_in_use"),
    "difference": ("model.difference", "difference"),
    "container_spec": ("pipeline.compose", "container_spec"),
    "merged_config": ("pipeline.compose", "merged_config"),
    "told_port": ("pipeline.compose", "told_port"),
    "exit_reason": ("pipeline.postmortem", "exit_reason"),
    "presence": "pipeline.presence",
    "check_process": ("pipeline.readiness", "check_process"),
    "change": ("pipeline.change", "change"),
    "change_all": ("pipeline.change", "change_all"),
    "plan": ("pipeline.preview", "preview"),
    "roll_back": ("pipeline.rollback", "roll_back"),
    "plan_rollback": ("pipeline.rollback", "plan"),
    "in_background": ("pipeline.background", "spawn"),
    "build_settings": ("pipeline.build", "settings"),
    "underway": ("pipeline.underway", "find"),
    "cancel": ("pipeline.underway", "cancel"),
    "check_image_owner": ("pipeline.build", "check_image_owner"),
    "builders": ("pipeline.build", "builders"),
    "rebuild": ("pipeline.receive", "rebuild"),
    "incoming": ("pipeline.incoming", "incoming"),
    "deploy_commit": ("pipeline.receive", "deploy_commit"),
    "limits": ("pipeline.limits", "limits"),
    "receive": ("pipeline.push", "pre_receive"),
    "push_destination": ("pipeline.first_push", "destination"),
    "stop": ("pipeline.lifecycle", "stop"),
    "start": ("pipeline.lifecycle", "start"),
    "trash": "pipeline.trash",
    "restore_app": ("pipeline.lifecycle", "restore_app"),
    "restore_processes": ("pipeline.recover", "restore_processes"),
    "reroute": ("pipeline.lifecycle", "reroute"),
    "live_route": ("pipeline.lifecycle", "live_route"),
    "urls": ("pipeline.urls", "urls"),
    "idle_words": ("pipeline.urls", "idle_words"),
    "check_store": ("store.schema", "check"),
    "lock": ("pipeline.locks", "app_lock"),
    "lock_holder": ("pipeline.locks", "held_by"),
    "lock_app": ("pipeline.locks", "lock_app"),
    "unlock_app": ("pipeline.locks", "unlock_app"),
    "recover_all": ("pipeline.lifecycle", "recover_all"),
    "strays": "pipeline.strays",
    "interrupted": ("pipeline.lifecycle", "interrupted"),
    "holder": ("pipeline.locks", "holder"),
    "scheduler": ("pipeline.engines", "scheduler"),
    "router": ("pipeline.engines", "router"),
    "forget_engines": ("pipeline.engines", "forget"),
    "call": ("bus.manager", "call"),
    "notify": ("bus.manager", "notify"),
}

if TYPE_CHECKING:  # the table again, for type checkers and editors, to whom it is only text
    import pluggy

    from minipaas_lib import address, caller, commands, downloads, errors, firewall, folders, names, output, paths
    from minipaas_lib import cluster_settings as cluster
    from minipaas_lib.admission import end_with_key
    from minipaas_lib.bus import authority, index, installed, manifest, strangers
    from minipaas_lib.bus.engines import Detached, LogLine, Written
    from minipaas_lib.bus.findings import Finding
    from minipaas_lib.bus.manager import call, call_one, notify
    from minipaas_lib.model import entries, image, labels, service
    from minipaas_lib.model.app import App
    from minipaas_lib.model.difference import difference
    from minipaas_lib.model.process import ContainerSpec, Diagnosis, Process
    from minipaas_lib.model.release import Build, Release
    from minipaas_lib.model.route import Backend, Listener, Route
    from minipaas_lib.pipeline import destinations, presence, remotes, repository, strays, trash
    from minipaas_lib.pipeline.apps import edit_platform, platform, renamed_to
    from minipaas_lib.pipeline.apps import has_failed as app_has_failed
    from minipaas_lib.pipeline.apps import is_gone as app_is_gone
    from minipaas_lib.pipeline.apps import load as app
    from minipaas_lib.pipeline.apps import names as app_names
    from minipaas_lib.pipeline.apps import of_each as of_each_app
    from minipaas_lib.pipeline.background import spawn as in_background
    from minipaas_lib.pipeline.build import builders, check_image_owner
    from minipaas_lib.pipeline.build import settings as build_settings
    from minipaas_lib.pipeline.change import change, change_all, edit_app
    from minipaas_lib.pipeline.clone import clone as clone_app
    from minipaas_lib.pipeline.commits import Entry
    from minipaas_lib.pipeline.compose import container_spec, merged_config, told_port
    from minipaas_lib.pipeline.engines import forget as forget_engines
    from minipaas_lib.pipeline.engines import router, scheduler
    from minipaas_lib.pipeline.first_push import destination as push_destination
    from minipaas_lib.pipeline.incoming import incoming
    from minipaas_lib.pipeline.leftovers import images_in_use
    from minipaas_lib.pipeline.lifecycle import create as create_app
    from minipaas_lib.pipeline.lifecycle import interrupted, live_route, recover_all, reroute, restore_app, start, stop
    from minipaas_lib.pipeline.limits import limits
    from minipaas_lib.pipeline.locks import app_lock as lock
    from minipaas_lib.pipeline.locks import bare_lock, holder, lock_app, unlock_app
    from minipaas_lib.pipeline.locks import held_by as lock_holder
    from minipaas_lib.pipeline.plugin_table import plugin_table
    from minipaas_lib.pipeline.postmortem import exit_reason
    from minipaas_lib.pipeline.preview import preview as plan
    from minipaas_lib.pipeline.push import pre_receive as receive
    from minipaas_lib.pipeline.readiness import check_process
    from minipaas_lib.pipeline.receive import deploy_commit, rebuild
    from minipaas_lib.pipeline.recover import restore_processes
    from minipaas_lib.pipeline.releases import all_of as releases
    from minipaas_lib.pipeline.releases import before as release_before
    from minipaas_lib.pipeline.releases import kept as kept_releases
    from minipaas_lib.pipeline.releases import live as live_release
    from minipaas_lib.pipeline.releases import load as release
    from minipaas_lib.pipeline.releases import newest as newest_releases
    from minipaas_lib.pipeline.releases import numbers as release_numbers
    from minipaas_lib.pipeline.rename import rename as rename_app
    from minipaas_lib.pipeline.retire import waiting as retiring
    from minipaas_lib.pipeline.rollback import plan as plan_rollback
    from minipaas_lib.pipeline.rollback import roll_back
    from minipaas_lib.pipeline.trash import destroy as destroy_app
    from minipaas_lib.pipeline.underway import cancel
    from minipaas_lib.pipeline.underway import find as underway
    from minipaas_lib.pipeline.urls import idle_words, urls
    from minipaas_lib.plugin_commands import named as command_named
    from minipaas_lib.store import documents, open_cluster, open_directory
    from minipaas_lib.store import forget as forget_store
    from minipaas_lib.store import open_store as store
    from minipaas_lib.store.copy import copy as copy_store
    from minipaas_lib.store.schema import check as check_store
    from minipaas_lib.vendor import activate
    from minipaas_lib.well_known import error as unknown_command

    hookimpl = pluggy.HookimplMarker("minipaas")

if not TYPE_CHECKING:  # a checker would take this for every name there is not

    def __getattr__(name: str):
        if name == "hookimpl":
            import pluggy

            value = pluggy.HookimplMarker("minipaas")
        elif name in _MODULES:
            where = _MODULES[name]
            if isinstance(where, str):
                value = importlib.import_module("minipaas_lib." + where)
            else:
                value = getattr(importlib.import_module("minipaas_lib." + where[0]), where[1])
        else:
            raise AttributeError(f"minipaas_lib.api has no {name}")
        globals()[name] = value
        return value


def __dir__():
    return sorted([*_MODULES, "hookimpl"])

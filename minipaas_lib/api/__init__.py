"""The public face: all that a plugin, ours or a stranger's, may import of minipaas.

Everything is looked up when it is first used, so that a plugin pays only for what it touches.
"""

import importlib
from typing import TYPE_CHECKING

_MODULES = {
    # name in the api -> module, or (module, name in it)
    "errors": "errors",
    "folders": "folders",
    "programs": "programs",
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
    "catalog": "bus.catalog",
    "index": "bus.index",
    "installed": "bus.installed",
    "manifest": "bus.manifest",
    "third_party": "bus.third_party",
    "plugin_table": ("records.plugin_table", "plugin_table"),
    "values": "bus.values",
    "call_first": ("bus.manager", "first"),
    "call_one": ("bus.manager", "call_one"),
    "reindex": ("bus.manager", "reindex"),
    "unknown_command": ("well_known", "error"),
    "command_named": ("plugin_commands", "named"),
    "documents": "store.documents",
    "entries": "model.entries",
    "image": "model.image",
    "labels": "model.labels",
    "repository": "git.repository",
    "remote_url": "git.remote_url",
    "remotes": "git.remotes",
    "destinations": "git.destinations",
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
    "Entry": ("git.commits", "Entry"),
    "Scheduler": ("bus.engines", "Scheduler"),
    "Router": ("bus.engines", "Router"),
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
    "retiring": ("deploy.drain", "waiting"),
    "bare_lock": ("journal.locks", "bare_lock"),
    "app_names": ("records.apps", "names"),
    "app_is_gone": ("records.apps", "is_gone"),
    "of_each_app": ("records.apps", "of_each"),
    "app_has_failed": ("records.apps", "has_failed"),
    "app": ("records.apps", "load"),
    "renamed_to": ("records.apps", "renamed_to"),
    "create_app": ("apps.lifecycle", "create"),
    "destroy_app": ("apps.trash", "destroy"),
    "rename_app": ("apps.rename", "rename"),
    "clone_app": ("apps.clone", "clone"),
    "edit_app": ("deploy.change", "edit_app"),
    "platform": ("records.apps", "platform"),
    "edit_platform": ("records.apps", "edit_platform"),
    "live_release": ("records.releases", "live"),
    "release": ("records.releases", "load"),
    "releases": ("records.releases", "all_of"),
    "newest_releases": ("records.releases", "newest"),
    "release_numbers": ("records.releases", "numbers"),
    "release_before": ("records.releases", "before"),
    "kept_releases": ("records.releases", "kept"),
    "images_in_use": ("deploy.build_artifacts", "images_in_use"),
    "difference": ("model.difference", "difference"),
    "container_spec": ("deploy.compose", "container_spec"),
    "merged_config": ("deploy.compose", "merged_config"),
    "told_port": ("deploy.compose", "told_port"),
    "exit_reason": ("deploy.postmortem", "exit_reason"),
    "live_processes": "deploy.live_processes",
    "check_process": ("deploy.readiness", "check_process"),
    "change": ("deploy.change", "change"),
    "change_all": ("deploy.change", "change_all"),
    "plan": ("deploy.preview", "preview"),
    "roll_back": ("deploy.rollback", "roll_back"),
    "plan_rollback": ("deploy.rollback", "plan"),
    "in_background": ("journal.background", "spawn"),
    "build_settings": ("deploy.build", "settings"),
    "underway": ("deploy.in_progress", "find"),
    "cancel": ("deploy.in_progress", "cancel"),
    "check_image_owner": ("deploy.build", "check_image_owner"),
    "builders": ("deploy.build", "builders"),
    "rebuild": ("deploy.receive", "rebuild"),
    "incoming": ("deploy.ingest", "incoming"),
    "deploy_commit": ("deploy.receive", "deploy_commit"),
    "limits": ("records.limits", "limits"),
    "receive": ("push.pre_receive", "pre_receive"),
    "push_destination": ("push.first_push", "destination"),
    "stop": ("apps.lifecycle", "stop"),
    "start": ("apps.lifecycle", "start"),
    "trash": "apps.trash",
    "trashed": "records.trashed",
    "restore_app": ("apps.lifecycle", "restore_app"),
    "restore_processes": ("deploy.restore", "restore_processes"),
    "reroute": ("apps.lifecycle", "reroute"),
    "live_route": ("apps.lifecycle", "live_route"),
    "urls": ("deploy.urls", "urls"),
    "idle_words": ("deploy.urls", "idle_words"),
    "check_store": ("store.schema", "check"),
    "lock": ("journal.locks", "app_lock"),
    "lock_holder": ("journal.locks", "held_by"),
    "lock_app": ("journal.locks", "lock_app"),
    "unlock_app": ("journal.locks", "unlock_app"),
    "recover_all": ("apps.lifecycle", "recover_all"),
    "orphans": "apps.orphans",
    "interrupted": ("apps.lifecycle", "interrupted"),
    "holder": ("journal.locks", "holder"),
    "scheduler": ("bus.active_engines", "scheduler"),
    "router": ("bus.active_engines", "router"),
    "forget_engines": ("bus.active_engines", "forget"),
    "call": ("bus.manager", "call"),
    "notify": ("bus.manager", "notify"),
}

if TYPE_CHECKING:  # the table again, for type checkers and editors, to whom it is only text
    import pluggy

    from minipaas_lib import (
        address,
        caller,
        commands,
        downloads,
        errors,
        firewall,
        folders,
        names,
        output,
        paths,
        programs,
    )
    from minipaas_lib import cluster_settings as cluster
    from minipaas_lib.admission import end_with_key
    from minipaas_lib.apps import orphans, trash
    from minipaas_lib.apps.clone import clone as clone_app
    from minipaas_lib.apps.lifecycle import create as create_app
    from minipaas_lib.apps.lifecycle import interrupted, live_route, recover_all, reroute, restore_app, start, stop
    from minipaas_lib.apps.rename import rename as rename_app
    from minipaas_lib.apps.trash import destroy as destroy_app
    from minipaas_lib.bus import authority, catalog, index, installed, manifest, third_party, values
    from minipaas_lib.bus.active_engines import forget as forget_engines
    from minipaas_lib.bus.active_engines import router, scheduler
    from minipaas_lib.bus.engines import Detached, LogLine, Router, Scheduler, Written
    from minipaas_lib.bus.findings import Finding
    from minipaas_lib.bus.manager import call, call_one, notify, reindex
    from minipaas_lib.bus.manager import first as call_first
    from minipaas_lib.deploy import live_processes
    from minipaas_lib.deploy.build import builders, check_image_owner
    from minipaas_lib.deploy.build import settings as build_settings
    from minipaas_lib.deploy.build_artifacts import images_in_use
    from minipaas_lib.deploy.change import change, change_all, edit_app
    from minipaas_lib.deploy.compose import container_spec, merged_config, told_port
    from minipaas_lib.deploy.drain import waiting as retiring
    from minipaas_lib.deploy.in_progress import cancel
    from minipaas_lib.deploy.in_progress import find as underway
    from minipaas_lib.deploy.ingest import incoming
    from minipaas_lib.deploy.postmortem import exit_reason
    from minipaas_lib.deploy.preview import preview as plan
    from minipaas_lib.deploy.readiness import check_process
    from minipaas_lib.deploy.receive import deploy_commit, rebuild
    from minipaas_lib.deploy.restore import restore_processes
    from minipaas_lib.deploy.rollback import plan as plan_rollback
    from minipaas_lib.deploy.rollback import roll_back
    from minipaas_lib.deploy.urls import idle_words, urls
    from minipaas_lib.git import destinations, remote_url, remotes, repository
    from minipaas_lib.git.commits import Entry
    from minipaas_lib.journal.background import spawn as in_background
    from minipaas_lib.journal.locks import app_lock as lock
    from minipaas_lib.journal.locks import bare_lock, holder, lock_app, unlock_app
    from minipaas_lib.journal.locks import held_by as lock_holder
    from minipaas_lib.model import entries, image, labels, service
    from minipaas_lib.model.app import App
    from minipaas_lib.model.difference import difference
    from minipaas_lib.model.process import ContainerSpec, Diagnosis, Process
    from minipaas_lib.model.release import Build, Release
    from minipaas_lib.model.route import Backend, Listener, Route
    from minipaas_lib.plugin_commands import named as command_named
    from minipaas_lib.push.first_push import destination as push_destination
    from minipaas_lib.push.pre_receive import pre_receive as receive
    from minipaas_lib.records import trashed
    from minipaas_lib.records.apps import edit_platform, platform, renamed_to
    from minipaas_lib.records.apps import has_failed as app_has_failed
    from minipaas_lib.records.apps import is_gone as app_is_gone
    from minipaas_lib.records.apps import load as app
    from minipaas_lib.records.apps import names as app_names
    from minipaas_lib.records.apps import of_each as of_each_app
    from minipaas_lib.records.limits import limits
    from minipaas_lib.records.plugin_table import plugin_table
    from minipaas_lib.records.releases import all_of as releases
    from minipaas_lib.records.releases import before as release_before
    from minipaas_lib.records.releases import kept as kept_releases
    from minipaas_lib.records.releases import live as live_release
    from minipaas_lib.records.releases import load as release
    from minipaas_lib.records.releases import newest as newest_releases
    from minipaas_lib.records.releases import numbers as release_numbers
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

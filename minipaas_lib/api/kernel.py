"""What our own plugins use beside the public API. Anybody's may, but it changes without notice: see docs/plugins.md."""

from typing import TYPE_CHECKING

from minipaas_lib import lazy

ORIGINS = {
    # name in api.kernel -> where it is in minipaas_lib
    "Entry": "git.commits:Entry",
    "address": "address",
    "app_has_failed": "records.apps:has_failed",
    "app_is_gone": "records.apps:is_gone",
    "authority": "bus.authority",
    "bare_lock": "journal.locks:bare_lock",
    "builders": "deploy.build:builders",
    "cancel": "deploy.in_progress:cancel",
    "catalog": "bus.catalog",
    "check_process": "deploy.readiness:check_process",
    "check_store": "store.schema:check",
    "clone_app": "apps.clone:clone",
    "cluster": "cluster_settings",
    "command_named": "plugin_commands:named",
    "container_spec": "deploy.compose:container_spec",
    "copy_store": "store.copy:copy",
    "create_app": "apps.lifecycle:create",
    "deploy_commit": "deploy.receive:deploy_commit",
    "destinations": "git.destinations",
    "destroy_app": "apps.trash:destroy",
    "difference": "model.difference:difference",
    "documents": "store.documents",
    "downloads": "downloads",
    "durable_file": "toolkit.durable_file",
    "edit_platform": "records.apps:edit_platform",
    "end_with_key": "admission:end_with_key",
    "engines": "bus.engines",
    "entries": "model.entries",
    "exit_reason": "deploy.postmortem:exit_reason",
    "firewall": "firewall",
    "folders": "folders",
    "forget_engines": "bus.active_engines:forget",
    "forget_store": "store:forget",
    "holder": "journal.locks:holder",
    "idle_words": "deploy.urls:idle_words",
    "image": "model.image",
    "images_in_use": "deploy.build_artifacts:images_in_use",
    "incoming": "deploy.ingest:incoming",
    "index": "bus.index",
    "installed": "bus.installed",
    "interrupted": "apps.lifecycle:interrupted",
    "kept_releases": "records.releases:kept",
    "labels": "model.labels",
    "limits": "records.limits:limits",
    "live_processes": "deploy.live_processes",
    "live_route": "apps.lifecycle:live_route",
    "lock_app": "journal.locks:lock_app",
    "lock_holder": "journal.locks:held_by",
    "manifest": "bus.manifest",
    "newest_releases": "records.releases:newest",
    "open_cluster": "store:open_cluster",
    "open_directory": "store:open_directory",
    "orphans": "apps.orphans",
    "plan": "deploy.preview:preview",
    "plan_rollback": "deploy.rollback:plan",
    "platform": "records.apps:platform",
    "process_identity": "toolkit.process_identity",
    "programs": "programs",
    "push_destination": "push.first_push:destination",
    "rebuild": "deploy.receive:rebuild",
    "receive": "push.pre_receive:pre_receive",
    "recover_all": "apps.lifecycle:recover_all",
    "reindex": "bus.manager:reindex",
    "release_before": "records.releases:before",
    "release_numbers": "records.releases:numbers",
    "remote_url": "git.remote_url",
    "remotes": "git.remotes",
    "rename_app": "apps.rename:rename",
    "renamed_to": "records.apps:renamed_to",
    "reroute": "apps.lifecycle:reroute",
    "restore_app": "apps.lifecycle:restore_app",
    "restore_processes": "deploy.restore:restore_processes",
    "retiring": "deploy.drain:waiting",
    "service": "model.service",
    "start": "apps.lifecycle:start",
    "stop": "apps.lifecycle:stop",
    "store": "store:open_store",
    "streamed_command": "toolkit.streamed_command",
    "third_party": "bus.third_party",
    "told_port": "deploy.compose:told_port",
    "trash": "apps.trash",
    "trashed": "records.trashed",
    "underway": "deploy.in_progress:find",
    "unknown_command": "well_known:error",
    "unlock_app": "journal.locks:unlock_app",
    "values": "bus.values",
}

if TYPE_CHECKING:  # the table again, for type checkers and editors, to whom it is only text
    from minipaas_lib import address, downloads, firewall, folders, programs
    from minipaas_lib import cluster_settings as cluster
    from minipaas_lib.admission import end_with_key
    from minipaas_lib.apps import orphans, trash
    from minipaas_lib.apps.clone import clone as clone_app
    from minipaas_lib.apps.lifecycle import create as create_app
    from minipaas_lib.apps.lifecycle import interrupted, live_route, recover_all, reroute, restore_app, start, stop
    from minipaas_lib.apps.rename import rename as rename_app
    from minipaas_lib.apps.trash import destroy as destroy_app
    from minipaas_lib.bus import authority, catalog, engines, index, installed, manifest, third_party, values
    from minipaas_lib.bus.active_engines import forget as forget_engines
    from minipaas_lib.bus.manager import reindex
    from minipaas_lib.deploy import live_processes
    from minipaas_lib.deploy.build import builders
    from minipaas_lib.deploy.build_artifacts import images_in_use
    from minipaas_lib.deploy.compose import container_spec, told_port
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
    from minipaas_lib.deploy.urls import idle_words
    from minipaas_lib.git import destinations, remote_url, remotes
    from minipaas_lib.git.commits import Entry
    from minipaas_lib.journal.locks import bare_lock, holder, lock_app, unlock_app
    from minipaas_lib.journal.locks import held_by as lock_holder
    from minipaas_lib.model import entries, image, labels, service
    from minipaas_lib.model.difference import difference
    from minipaas_lib.plugin_commands import named as command_named
    from minipaas_lib.push.first_push import destination as push_destination
    from minipaas_lib.push.pre_receive import pre_receive as receive
    from minipaas_lib.records import trashed
    from minipaas_lib.records.apps import edit_platform, platform, renamed_to
    from minipaas_lib.records.apps import has_failed as app_has_failed
    from minipaas_lib.records.apps import is_gone as app_is_gone
    from minipaas_lib.records.limits import limits
    from minipaas_lib.records.releases import before as release_before
    from minipaas_lib.records.releases import kept as kept_releases
    from minipaas_lib.records.releases import newest as newest_releases
    from minipaas_lib.records.releases import numbers as release_numbers
    from minipaas_lib.store import documents, open_cluster, open_directory
    from minipaas_lib.store import forget as forget_store
    from minipaas_lib.store import open_store as store
    from minipaas_lib.store.copy import copy as copy_store
    from minipaas_lib.store.schema import check as check_store
    from minipaas_lib.toolkit import durable_file, process_identity, streamed_command
    from minipaas_lib.well_known import error as unknown_command

if not TYPE_CHECKING:  # a checker would take this for every name there is not
    __getattr__, __dir__ = lazy.names_of(globals(), ORIGINS)

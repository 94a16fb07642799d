"""The public API: all that a plugin may import of minipaas. docs/plugins.md documents and promises what is in here.

What only our own plugins are sure of is in api.kernel. Everything is imported when it is first used, so that a plugin
pays only for what it touches.
"""

from typing import TYPE_CHECKING

from minipaas_lib import lazy

ORIGINS = {
    # name in the api -> where it is in minipaas_lib
    "kernel": "api.kernel",
    "hookimpl": "bus.hookspecs:hookimpl",
    "errors": "errors",
    "output": "output",
    "names": "names",
    "paths": "paths",
    "caller": "caller",
    "commands": "commands",
    "repository": "git.repository",
    "activate": "vendor:activate",
    "App": "model.app:App",
    "Build": "model.release:Build",
    "Release": "model.release:Release",
    "Process": "model.process:Process",
    "ContainerSpec": "model.process:ContainerSpec",
    "Diagnosis": "model.process:Diagnosis",
    "Finding": "bus.findings:Finding",
    "Route": "model.route:Route",
    "Listener": "model.route:Listener",
    "Backend": "model.route:Backend",
    "LogLine": "bus.engines:LogLine",
    "Detached": "bus.engines:Detached",
    "Written": "bus.engines:Written",
    "Scheduler": "bus.engines:Scheduler",
    "Router": "bus.engines:Router",
    "scheduler": "bus.active_engines:scheduler",
    "router": "bus.active_engines:router",
    "app": "records.apps:load",
    "app_names": "records.apps:names",
    "of_each_app": "records.apps:of_each",
    "live_release": "records.releases:live",
    "release": "records.releases:load",
    "releases": "records.releases:all_of",
    "urls": "deploy.urls:urls",
    "merged_config": "deploy.compose:merged_config",
    "change": "deploy.change:change",
    "change_all": "deploy.change:change_all",
    "edit_app": "deploy.change:edit_app",
    "roll_back": "deploy.rollback:roll_back",
    "plugin_table": "records.plugin_table:plugin_table",
    "lock": "journal.locks:app_lock",
    "in_background": "journal.background:spawn",
    "call": "bus.manager:call",
    "call_first": "bus.manager:first",
    "call_one": "bus.manager:call_one",
    "notify": "bus.manager:notify",
    "build_settings": "deploy.build:settings",
    "check_image_owner": "deploy.build:check_image_owner",
}

if TYPE_CHECKING:  # the table again, for type checkers and editors, to whom it is only text
    from minipaas_lib import caller, commands, errors, names, output, paths
    from minipaas_lib.api import kernel
    from minipaas_lib.bus.active_engines import router, scheduler
    from minipaas_lib.bus.engines import Detached, LogLine, Router, Scheduler, Written
    from minipaas_lib.bus.findings import Finding
    from minipaas_lib.bus.hookspecs import hookimpl
    from minipaas_lib.bus.manager import call, call_one, notify
    from minipaas_lib.bus.manager import first as call_first
    from minipaas_lib.deploy.build import check_image_owner
    from minipaas_lib.deploy.build import settings as build_settings
    from minipaas_lib.deploy.change import change, change_all, edit_app
    from minipaas_lib.deploy.compose import merged_config
    from minipaas_lib.deploy.rollback import roll_back
    from minipaas_lib.deploy.urls import urls
    from minipaas_lib.git import repository
    from minipaas_lib.journal.background import spawn as in_background
    from minipaas_lib.journal.locks import app_lock as lock
    from minipaas_lib.model.app import App
    from minipaas_lib.model.process import ContainerSpec, Diagnosis, Process
    from minipaas_lib.model.release import Build, Release
    from minipaas_lib.model.route import Backend, Listener, Route
    from minipaas_lib.records.apps import load as app
    from minipaas_lib.records.apps import names as app_names
    from minipaas_lib.records.apps import of_each as of_each_app
    from minipaas_lib.records.plugin_table import plugin_table
    from minipaas_lib.records.releases import all_of as releases
    from minipaas_lib.records.releases import live as live_release
    from minipaas_lib.records.releases import load as release
    from minipaas_lib.vendor import activate

if not TYPE_CHECKING:  # a checker would take this for every name there is not

    def _elsewhere(name: str) -> str:
        from minipaas_lib.api import kernel

        return "; it is in api.kernel, which may change" if name in kernel.ORIGINS else ""

    __getattr__, __dir__ = lazy.names_of(globals(), ORIGINS, _elsewhere)

"""Words of Dokku and Heroku that are no commands here: what there is in their place, or that there is none yet.

Loaded only when somebody types a command that does not exist.
"""

import difflib
import re

from minipaas_lib import errors, names

_NO_STORAGE = "apps have no storage yet: what a process writes to its files is gone at the next deploy"
_NO_SERVICE = "minipaas does not run datastores yet; point the app at one that runs elsewhere"
_NO_HTTPS = "there is no HTTPS yet: apps answer at http://"
_NO_CRON = "there are no scheduled commands yet; your own cron can run one over ssh"
_NO_LIMITS = "processes have no memory and CPU limits yet; ps:scale sets how many run"
_NO_NETWORK = "minipaas itself creates the one network of all apps, in which they cannot reach each other"
_NO_OPTIONS = "docker's own options cannot be passed on"
_NO_USERS = "there are no users and roles yet: every SSH key may do everything"
_NO_MAINTENANCE = "there is no maintenance mode; the domains of a stopped app answer 503 (ps:stop, ps:start)"
_URL = "config:set <app> DATABASE_URL=..."
_RUN = "run <app> <command>"

WORDS: dict[str, tuple[str, str]] = {
    # a command, or all of a noun -> why there is none, and what to type in its place
    "access": (_NO_USERS, "ssh-keys:list"),
    "addons": (_NO_SERVICE, _URL),
    "app-json": ("app.json is read from the repository at each deploy", "checks:report <app>"),
    "apps:create-from": ("to copy an app, clone it", "apps:clone <app> <new>"),
    "apps:delete": ("apps:destroy moves an app to the trash", "help apps:destroy"),
    "apps:errors": ("the logs say what went wrong", "logs <app>"),
    "apps:favorites": ("there are no favourites", "apps:list"),
    "apps:info": ("that is a report", "apps:report <app>"),
    "apps:open": ("open one of its URLs in your own browser", "urls <app>"),
    "apps:stacks": ("the stack image is a property of buildpacks", "buildpacks:report <app>"),
    "auth": ("there are no logins: your SSH key identifies you", "ssh-keys:list"),
    "backup": (
        "to back up, copy /var/lib/minipaas on the host",
        "on the host: sudo tar -czf minipaas.tar.gz /var/lib/minipaas",
    ),
    "builder-herokuish": ("herokuish is not used; buildpacks are", "builder:report <app>"),
    "builder-nixpacks": ("nixpacks is not among the builders", "builder:report <app>"),
    "builder-pack": ("pack is not among the builders", "builder:report <app>"),
    "caddy": ("the router is nginx", "nginx:report <app>"),
    "certs": (_NO_HTTPS, "urls <app>"),
    "ci": ("tests run before you push", "checks:report <app>"),
    "cleanup": ("builds:prune removes what builds have left behind, but no image of a release", "help builds:prune"),
    "clone": ("git is typed on your own machine", "git clone paas@<host>:<app>"),
    "config:add": ("config variables are set with config:set", "config:set <app> NAME=value"),
    "config:bundle": ("config is exported as lines or JSON", "config:export <app>"),
    "config:edit": ("export the config, edit it on your own machine and import it", "config:export <app>"),
    "config:list": ("that is called config:show", "config:show <app>"),
    "config:remove": ("config:unset removes one variable", "help config:unset"),
    "container": ("an image is deployed by its name, or from docker save", "git:from-image <app> <image>"),
    "cron": (_NO_CRON, _RUN),
    "default": ("domains:set-default lets an app answer for unknown names", "help domains:set-default"),
    "deploy": ("a deploy is a push, or ps:rebuild", "git push paas@<host>:<app> main"),
    "docker-options": (_NO_OPTIONS, "ps:report <app>"),
    "domains:disable": ("proxy:disable takes an app off its domains", "proxy:report <app>"),
    "domains:enable": ("proxy:enable serves an app at its domains", "proxy:report <app>"),
    "domains:list": ("that is a report", "domains:report <app>"),
    "drains": ("logs are not sent elsewhere; they can be followed", "logs -t <app>"),
    "elasticsearch": (_NO_SERVICE, "config:set <app> ELASTICSEARCH_URL=..."),
    "env": ("environment variables are called config", "config:show <app>"),
    "events": ("the releases say what was changed", "releases <app>"),
    "exec": ("enter opens a shell in a running process", "enter <app>"),
    "features": ("there are no features to switch", "report <app>"),
    "git:from-directory": ("send the folder as an archive", "git:from-archive <app> -"),
    "git:initialize": ("the first push creates the repository of an app", "git push paas@<host>:<app> main"),
    "git:remote": ("add the remote on your own machine", "git remote add paas paas@<host>:<app>"),
    "haproxy": ("the router is nginx", "nginx:report <app>"),
    "info": ("that is a report", "report <app>"),
    "keys": ("ssh-keys:list lists the SSH keys", "ssh-keys:list"),
    "labs": ("there are no features to switch", "report <app>"),
    "letsencrypt": (_NO_HTTPS, "urls <app>"),
    "links": (_NO_SERVICE, _URL),
    "local": ("minipaas does not run apps on your own machine", _RUN),
    "login": ("there are no logins: your SSH key identifies you", "ssh-keys:list"),
    "logs:report": ("logs have no settings", "logs <app>"),
    "logs:set": ("logs have no settings", "logs <app>"),
    "logs:tail": ("logs are followed with -t", "logs -t <app>"),
    "logs:vector-logs": ("logs are not sent elsewhere; they can be followed", "logs -t <app>"),
    "ls": ("there is no shell here; apps:list lists the apps", "apps:list"),
    "maintenance": (_NO_MAINTENANCE, "ps:report <app>"),
    "mariadb": (_NO_SERVICE, _URL),
    "members": (_NO_USERS, "ssh-keys:list"),
    "memcached": (_NO_SERVICE, "config:set <app> MEMCACHED_URL=..."),
    "mongo": (_NO_SERVICE, "config:set <app> MONGO_URL=..."),
    "mysql": (_NO_SERVICE, _URL),
    "network": (_NO_NETWORK, "ports:report <app>"),
    "nginx:build-config": ("each deploy writes nginx's configuration again", "nginx:show-config <app>"),
    "nginx:start": ("nginx is a service of the host", "on the host: sudo systemctl status nginx"),
    "nginx:stop": ("nginx is a service of the host", "on the host: sudo systemctl status nginx"),
    "open": ("open one of its URLs in your own browser", "urls <app>"),
    "openresty": ("the router is nginx", "nginx:report <app>"),
    "pg": (_NO_SERVICE, _URL),
    "pipelines": ("there are no pipelines; a copy of an app can be deployed to first", "apps:clone <app> <new>"),
    "plugins": ("the noun is plugin", "plugin:list"),
    "postgres": (_NO_SERVICE, _URL),
    "proxy:build-config": ("each deploy writes the route again", "proxy:report <app>"),
    "proxy:ports": ("ports:add maps ports of the host", "ports:list <app>"),
    "proxy:set": ("the router is nginx", "nginx:report <app>"),
    "ps:copy": ("copy files through a shell in a running process", "enter <app>"),
    "ps:exec": ("enter opens a shell in a running process", "enter <app>"),
    "ps:list": ("that is a report", "ps:report <app>"),
    "ps:resize": (_NO_LIMITS, "ps:scale <app>"),
    "ps:retire": ("old processes retire by themselves", "ps:report <app>"),
    "ps:type": (_NO_LIMITS, "ps:scale <app>"),
    "ps:wait": ("a deploy returns when it is done", "ps:report <app>"),
    "psql": (_NO_SERVICE, _URL),
    "rabbitmq": (_NO_SERVICE, "config:set <app> RABBITMQ_URL=..."),
    "rebuild": ("ps:rebuild builds an app again", "ps:rebuild <app>"),
    "redis": (_NO_SERVICE, "config:set <app> REDIS_URL=..."),
    "releases:list": ("that is called releases", "releases <app>"),
    "releases:show": ("that is called releases:info", "releases:info <app> v1"),
    "rename": ("apps:rename renames an app", "help apps:rename"),
    "repo:gc": ("git itself maintains the repositories", "git:report <app>"),
    "resource": (_NO_LIMITS, "ps:scale <app>"),
    "restart": ("that is called ps:restart", "ps:restart <app>"),
    "rollback": ("releases:rollback goes back to an earlier release", "releases <app>"),
    "scale": ("that is called ps:scale", "ps:scale <app>"),
    "scheduler": ("the scheduler is docker, or that of the cluster", "cluster:status"),
    "services": (_NO_SERVICE, _URL),
    "sessions": ("there are no logins: your SSH key identifies you", "ssh-keys:list"),
    "shell": ("there is no shell on the host; enter opens one in a running process", "enter <app>"),
    "sharing": (_NO_USERS, "ssh-keys:list"),
    "spaces": ("there are no spaces", "cluster:status"),
    "ssl": (_NO_HTTPS, "urls <app>"),
    "start": ("that is called ps:start", "ps:start <app>"),
    "status": ("doctor finds what is broken", "doctor"),
    "stop": ("ps:stop stops an app", "help ps:stop"),
    "storage": (_NO_STORAGE, "config:set <app> DATABASE_URL=..."),
    "tags:add": ("tags are set with tags:set", "tags:set <app> <key>=<value>"),
    "tags:create": ("releases take the place of tags", "releases <app>"),
    "tags:deploy": ("git:from-image deploys an image", "git:from-image <app> <image>"),
    "tags:list": ("that is a report", "tags:report <app>"),
    "tail": ("logs are followed with -t", "logs -t <app>"),
    "teams": (_NO_USERS, "ssh-keys:list"),
    "trace": ("--trace shows where a command failed", "doctor --trace"),
    "traefik": ("the router is nginx", "nginx:report <app>"),
    "users": (_NO_USERS, "ssh-keys:list"),
    "volumes": (_NO_STORAGE, "config:set <app> DATABASE_URL=..."),
    "webhooks": ("a plugin can announce deploys", "plugin:list"),
}
_GIT = ("add", "clone", "commit", "fetch", "init", "log", "ls-remote", "pull", "push", "remote", "status")
AT_HOME = frozenset({"git", *(f"git {verb}" for verb in _GIT)})
"""What people type here and mean their own machine."""
TAKES_AWAY = re.compile(
    "(un|re)?(destroy|remove|unset|clear|disable|prune|purge|rollback|stop|cancel|logout|lock|rename|reset|leave|drain|rm|delete)"
)


def error(name: str, known: list[str]) -> errors.UsageError:
    """The error for a command that does not exist; `known` are those that do, without hidden ones.

    Commands that remove something are never suggested, nor commands for a noun that does not exist.
    """
    typed = f"there is no command {names.safe(name)}"
    if any(mark in name for mark in ";&|<>`$\n"):
        return errors.UsageError(
            f"{names.safe(name)} is not a command: there is no shell here, one command a call", "help"
        )
    if name.startswith("-"):
        return errors.UsageError(f"no command is named before or after {names.safe(name)}", "help")
    if name in AT_HOME:
        return errors.UsageError("git is typed on your own machine", "git push paas@<host>:<app> main")
    answer = WORDS.get(name) or WORDS.get(name.partition(":")[0])
    if answer:
        return errors.UsageError(f"{typed}: {answer[0]}", answer[1])
    guess = near(name, known)
    if guess:
        return errors.UsageError(typed, f"did you mean {guess}?")
    noun = name.partition(":")[0]
    return errors.UsageError(typed, f"help {noun}" if noun in nouns(known) and ":" in name else "help")


def near(name: str, known: list[str]) -> str:
    """The command that was probably meant; empty if there is none, or if it removes something."""
    noun, colon, verb = name.partition(":")
    if not colon:
        single = [command for command in [*known, *nouns(known)] if ":" not in command]
        return next(filter(is_harmless, difflib.get_close_matches(noun, single, 1, 0.75)), "")
    if noun not in nouns(known):
        same = [command for command in known if is_harmless(command) and command.partition(":")[2] == verb]
        return next((command for command in same if is_one_slip(noun, command.partition(":")[0])), "")
    verbs = [command.partition(":")[2] for command in known if command.startswith(noun + ":")]
    closest = next(filter(is_harmless, difflib.get_close_matches(verb, verbs, 1, 0.7)), "")
    return f"{noun}:{closest}" if closest else ""


def nouns(known: list[str]) -> set[str]:
    """The nouns of the commands `<noun>:<verb>`."""
    return {command.partition(":")[0] for command in known if ":" in command}


def is_harmless(command: str) -> bool:
    """Whether the command removes nothing."""
    return not TAKES_AWAY.match(command.partition(":")[2] or command)


def is_one_slip(typed: str, noun: str) -> bool:
    """Whether one letter is missing, extra, wrong or swapped with the next; False for short words."""
    if min(len(typed), len(noun)) < 3:
        return False
    same = next((i for i, (a, b) in enumerate(zip(typed, noun, strict=False)) if a != b), min(len(typed), len(noun)))
    rest, right = typed[same:], noun[same:]
    swapped = rest[:2] == right[1::-1] and rest[2:] == right[2:]
    return rest[1:] == right or rest == right[1:] or rest[1:] == right[1:] or (len(right) > 1 and swapped)

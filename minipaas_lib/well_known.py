"""Words of Dokku and Heroku that are no commands here: what there is in their place, or that there is none yet.

Loaded only when somebody types a command that does not exist.
"""

import difflib
import re

from minipaas_lib import errors, names

_NO_STORAGE = "apps have no storage yet: what a process writes to its files is gone at the next deploy"
_NO_SERVICE = "datastores are not run here yet; tell the app of one that runs elsewhere"
_NO_HTTPS = "there is no HTTPS yet: apps answer at http://"
_NO_CRON = "there are no timed commands yet; a cron of your own can run one over ssh"
_NO_LIMITS = "processes have no limits of memory and CPU yet; how many run is set with ps:scale"
_NO_NETWORK = "networks are made by minipaas itself, one for all apps, in which they cannot reach each other"
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
    "apps:create-from": ("an app is made of another one by a clone", "apps:clone <app> <new>"),
    "apps:delete": ("an app goes into the trash by apps:destroy", "help apps:destroy"),
    "apps:errors": ("what went wrong is in the logs", "logs <app>"),
    "apps:favorites": ("there are no favourites", "apps:list"),
    "apps:info": ("that is a report", "apps:report <app>"),
    "apps:open": ("a browser is opened on your own machine", "urls <app>"),
    "apps:stacks": ("the image that buildpacks run in is a property", "buildpacks:report <app>"),
    "auth": ("an SSH key is who you are", "ssh-keys:list"),
    "backup": ("a backup is a copy of /var/lib/minipaas, made on the host", "doctor"),
    "builder-herokuish": ("herokuish is not used; buildpacks are", "builder:report <app>"),
    "builder-nixpacks": ("nixpacks is not among the builders", "builder:report <app>"),
    "builder-pack": ("pack is not among the builders", "builder:report <app>"),
    "caddy": ("the router is nginx", "nginx:report <app>"),
    "certs": (_NO_HTTPS, "urls <app>"),
    "ci": ("tests run before you push", "checks:report <app>"),
    "cleanup": ("what builds have left goes by builds:prune, which removes no image of a release", "help builds:prune"),
    "clone": ("git is typed on your own machine", "git clone paas@<host>:<app>"),
    "config:add": ("config is set", "config:set <app> NAME=value"),
    "config:bundle": ("config is exported as lines or JSON", "config:export <app>"),
    "config:edit": ("config is exported, edited on your own machine and imported", "config:export <app>"),
    "config:list": ("that is called config:show", "config:show <app>"),
    "config:remove": ("one variable goes by config:unset", "help config:unset"),
    "container": ("an image is deployed by its name, or from docker save", "git:from-image <app> <image>"),
    "cron": (_NO_CRON, _RUN),
    "default": ("an app answers at names that none has by domains:set-default", "help domains:set-default"),
    "deploy": ("a deploy is a push, or ps:rebuild", "git push paas@<host>:<app> main"),
    "docker-options": (_NO_OPTIONS, "ps:report <app>"),
    "domains:disable": ("an app is taken off its domains by proxy:disable", "proxy:report <app>"),
    "domains:enable": ("an app is served at its domains by proxy:enable", "proxy:report <app>"),
    "domains:list": ("that is a report", "domains:report <app>"),
    "drains": ("logs are not sent elsewhere; they can be followed", "logs -t <app>"),
    "elasticsearch": (_NO_SERVICE, "config:set <app> ELASTICSEARCH_URL=..."),
    "env": ("variables are called config", "config:show <app>"),
    "events": ("what was changed is in the releases", "releases <app>"),
    "exec": ("a shell in a running process is opened by enter", "enter <app>"),
    "features": ("there are no features to switch", "report <app>"),
    "git:from-directory": ("a folder is sent as an archive", "git:from-archive <app> -"),
    "git:initialize": ("an app has a repository from its first push on", "git push paas@<host>:<app> main"),
    "git:remote": ("a remote is added on your own machine", "git remote add paas paas@<host>:<app>"),
    "haproxy": ("the router is nginx", "nginx:report <app>"),
    "info": ("that is a report", "report <app>"),
    "keys": ("SSH keys are listed by ssh-keys:list", "ssh-keys:list"),
    "labs": ("there are no features to switch", "report <app>"),
    "letsencrypt": (_NO_HTTPS, "urls <app>"),
    "links": (_NO_SERVICE, _URL),
    "local": ("an app is run on your own machine without minipaas", _RUN),
    "login": ("an SSH key is who you are", "ssh-keys:list"),
    "logs:report": ("logs have no settings", "logs <app>"),
    "logs:set": ("logs have no settings", "logs <app>"),
    "logs:tail": ("logs are followed with -t", "logs -t <app>"),
    "logs:vector-logs": ("logs are not sent elsewhere; they can be followed", "logs -t <app>"),
    "ls": ("there is no shell here; apps are listed by apps:list", "apps:list"),
    "maintenance": (_NO_MAINTENANCE, "ps:report <app>"),
    "mariadb": (_NO_SERVICE, _URL),
    "members": (_NO_USERS, "ssh-keys:list"),
    "memcached": (_NO_SERVICE, "config:set <app> MEMCACHED_URL=..."),
    "mongo": (_NO_SERVICE, "config:set <app> MONGO_URL=..."),
    "mysql": (_NO_SERVICE, _URL),
    "network": (_NO_NETWORK, "ports:report <app>"),
    "nginx:build-config": ("nginx's configuration is made anew by each deploy", "nginx:show-config <app>"),
    "nginx:start": ("nginx is a service of the host, not of minipaas", "doctor"),
    "nginx:stop": ("nginx is a service of the host, not of minipaas", "doctor"),
    "open": ("a browser is opened on your own machine", "urls <app>"),
    "openresty": ("the router is nginx", "nginx:report <app>"),
    "pg": (_NO_SERVICE, _URL),
    "pipelines": ("there are no pipelines; a copy of an app can be deployed to first", "apps:clone <app> <new>"),
    "plugins": ("the noun is plugin", "plugin:list"),
    "postgres": (_NO_SERVICE, _URL),
    "proxy:build-config": ("the route is made anew by each deploy", "proxy:report <app>"),
    "proxy:ports": ("ports of the host are mapped by ports:add", "ports:list <app>"),
    "proxy:set": ("the router is nginx", "nginx:report <app>"),
    "ps:copy": ("files come and go through a shell in a running process", "enter <app>"),
    "ps:exec": ("a shell in a running process is opened by enter", "enter <app>"),
    "ps:list": ("that is a report", "ps:report <app>"),
    "ps:resize": (_NO_LIMITS, "ps:scale <app>"),
    "ps:retire": ("old processes retire by themselves", "ps:report <app>"),
    "ps:type": (_NO_LIMITS, "ps:scale <app>"),
    "ps:wait": ("a deploy has waited when it ends", "ps:report <app>"),
    "psql": (_NO_SERVICE, _URL),
    "rabbitmq": (_NO_SERVICE, "config:set <app> RABBITMQ_URL=..."),
    "rebuild": ("an app is built again by ps:rebuild", "ps:rebuild <app>"),
    "redis": (_NO_SERVICE, "config:set <app> REDIS_URL=..."),
    "releases:list": ("that is called releases", "releases <app>"),
    "releases:show": ("that is called releases:info", "releases:info <app> vN"),
    "rename": ("an app gets another name by apps:rename", "help apps:rename"),
    "repo:gc": ("repositories are looked after by git itself", "git:report <app>"),
    "resource": (_NO_LIMITS, "ps:scale <app>"),
    "restart": ("that is called ps:restart", "ps:restart <app>"),
    "rollback": ("releases:rollback goes back to a former release", "releases <app>"),
    "scale": ("that is called ps:scale", "ps:scale <app>"),
    "scheduler": ("the scheduler is docker, or a cluster's", "cluster:status"),
    "services": (_NO_SERVICE, _URL),
    "sessions": ("an SSH key is who you are", "ssh-keys:list"),
    "shell": ("there is no shell of the host; enter opens one in a running process", "enter <app>"),
    "sharing": (_NO_USERS, "ssh-keys:list"),
    "spaces": ("there are no spaces", "cluster:status"),
    "ssl": (_NO_HTTPS, "urls <app>"),
    "start": ("that is called ps:start", "ps:start <app>"),
    "status": ("what is broken is found by doctor", "doctor"),
    "stop": ("an app is stopped by ps:stop", "help ps:stop"),
    "storage": (_NO_STORAGE, "config:set <app> DATABASE_URL=..."),
    "tags:add": ("tags are set", "tags:set <app> <key>=<value>"),
    "tags:create": ("a release is the tag of an image", "releases <app>"),
    "tags:deploy": ("an image is deployed by its name", "git:from-image <app> <image>"),
    "tags:list": ("that is a report", "tags:report <app>"),
    "tail": ("logs are followed with -t", "logs -t <app>"),
    "teams": (_NO_USERS, "ssh-keys:list"),
    "trace": ("--trace shows where a command failed", "doctor --trace"),
    "traefik": ("the router is nginx", "nginx:report <app>"),
    "users": (_NO_USERS, "ssh-keys:list"),
    "volumes": (_NO_STORAGE, "config:set <app> DATABASE_URL=..."),
    "webhooks": ("a plugin can tell others of a deploy", "plugin:list"),
}
GIT = frozenset({"add", "clone", "commit", "fetch", "init", "log", "ls-remote", "pull", "push", "remote", "status"})
TAKES_AWAY = re.compile(
    "(un|re)?(destroy|remove|unset|clear|disable|prune|purge|rollback|stop|cancel|logout|lock|rename|reset|leave|drain|rm|delete)"
)


def error(name: str, known: list[str]) -> errors.UsageError:
    """The error for a command that does not exist; `known` are those that do, hidden ones left out.

    Nothing is guessed that takes something away, nor anything of a noun that there is not.
    """
    typed = f"there is no command {names.safe(name)}"
    if any(mark in name for mark in ";&|<>`$\n"):
        return errors.UsageError(
            f"{names.safe(name)} is not a command: there is no shell here, one command a call", "help"
        )
    if name.startswith("-"):
        return errors.UsageError(f"no command is named before or after {names.safe(name)}", "help")
    if name == "git":
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
    """The command that may have been meant, or an empty string; also where the nearest takes something away."""
    noun, colon, verb = name.partition(":")
    if not colon:
        single = [command for command in [*known, *nouns(known)] if ":" not in command]
        return next(filter(is_harmless, difflib.get_close_matches(noun, single, 1, 0.75)), "")
    if noun not in nouns(known):
        same = [command for command in known if is_harmless(command) and command.partition(":")[2] == verb]
        return next((command for command in same if is_one_slip(noun, command.partition(":")[0])), "")
    verbs = [command.partition(":")[2] for command in known if command.startswith(noun + ":")]
    found = next(filter(is_harmless, difflib.get_close_matches(verb, verbs, 1, 0.7)), "")
    return f"{noun}:{found}" if found else ""


def nouns(known: list[str]) -> set[str]:
    """The nouns of the commands `<noun>:<verb>`."""
    return {command.partition(":")[0] for command in known if ":" in command}


def is_harmless(command: str) -> bool:
    """Whether the command takes nothing away."""
    return not TAKES_AWAY.match(command.partition(":")[2] or command)


def is_one_slip(typed: str, noun: str) -> bool:
    """Whether one letter is missing, too much, wrong, or changed places with the next; not in short words."""
    if min(len(typed), len(noun)) < 3:
        return False
    same = next((i for i, (a, b) in enumerate(zip(typed, noun, strict=False)) if a != b), min(len(typed), len(noun)))
    rest, right = typed[same:], noun[same:]
    swapped = rest[:2] == right[1::-1] and rest[2:] == right[2:]
    return rest[1:] == right or rest == right[1:] or rest[1:] == right[1:] or (len(right) > 1 and swapped)

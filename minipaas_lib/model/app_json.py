"""app.json: a repository's description of its app (devcenter.heroku.com/articles/app-json-schema, Dokku's scripts).

Unknown keys are ignored, so that one file serves several platforms.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from .. import errors, names
from . import healthcheck

SIZE_LIMIT = 1024 * 1024  # bytes
QUANTITY_LIMIT = 100
SECRET_BYTES = 32


class EnvVar(NamedTuple):
    """One entry of `env`. `generator` is "secret" or None; `value` takes precedence over it."""

    value: str | None = None
    required: bool = True
    generator: str | None = None
    description: str = ""


class Scripts(NamedTuple):
    """Commands of `scripts`, None if not given."""

    predeploy: str | None = None  # scripts.dokku.predeploy: in the new image, before processes start
    postdeploy: str | None = None  # scripts.dokku.postdeploy: after each deploy
    first_postdeploy: str | None = None  # scripts.postdeploy: after the first deploy only


class AppJson(NamedTuple):
    """A parsed app.json. `cron` is as in the file: only its outer shape is checked here."""

    formation: dict[str, int]  # process type -> quantity; only types that have one
    env: dict[str, EnvVar]
    scripts: Scripts
    healthchecks: dict[str, list[healthcheck.Check]]  # by process type; see model.healthcheck
    cron: list[dict]


def parse(text: bytes) -> AppJson:
    """The parts of an app.json that minipaas uses; `{}` stands for a missing file. Raises errors.InvalidFile."""
    top = _load(text)
    if not isinstance(top, dict):
        raise _invalid("the file must hold one object", "start with { and end with }")
    return AppJson(
        formation=_formation(_object(top, "formation")),
        env={name: _env_var(name, entry) for name, entry in _object(top, "env").items()},
        scripts=_scripts(_object(top, "scripts")),
        healthchecks=healthcheck.parse(_healthchecks(_object(top, "healthchecks"))),
        cron=_list_of_objects("cron", top.get("cron")),
    )


def first_deploy_config(app: str, app_json: AppJson, present: Collection[str]) -> dict[str, str]:
    """The config that the first deploy of an app adds: defaults and generated secrets for the names not in `present`.

    Raises errors.InvalidFile with all required names that have no value, no generator and are not in `present`.
    """
    import secrets

    added: dict[str, str] = {}
    missing: list[str] = []
    for name, entry in app_json.env.items():
        if name in present:
            continue
        if entry.value is not None:
            added[name] = entry.value
        elif entry.generator == "secret":
            added[name] = secrets.token_hex(SECRET_BYTES)
        elif entry.required:
            missing.append(name)
    if missing:
        pairs = " ".join(f"{name}=..." for name in missing)
        raise errors.InvalidFile(
            f"app.json: required config is not set yet: {', '.join(missing)}",
            f"ssh paas@<host> config:set {app} {pairs}, then: push again",
        )
    return added


def _load(text: bytes) -> Any:
    import json

    if len(text) > SIZE_LIMIT:
        raise _invalid(f"the file is {len(text) // 1000} KB; the limit is 1 MiB", "remove what is not needed")
    try:
        return json.loads(text.decode("utf-8-sig"), object_pairs_hook=_no_duplicates)
    except UnicodeDecodeError:
        raise _invalid("not valid UTF-8", "save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise errors.InvalidFile(
            f"app.json line {error.lineno}, column {error.colno}: not valid JSON ({error.msg})", _again("correct it")
        ) from None
    except RecursionError:
        raise _invalid("lists and objects are nested too deeply", "flatten it") from None
    except ValueError:  # a number of thousands of digits (sys.set_int_max_str_digits)
        raise _invalid("a number is too long", "shorten it") from None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise _invalid(f"the key {names.safe(key)} appears twice in one object", "keep one of them")
        table[key] = value
    return table


def _formation(section: dict) -> dict[str, int]:
    formation = {}
    for process_type, entry in section.items():
        _checked("formation", names.process_type, process_type)
        path = f"formation.{process_type}"
        if not isinstance(entry, dict):
            raise _invalid(f"{path} must be an object", f'write it as: "{process_type}": {{"quantity": 1}}')
        quantity = entry.get("quantity")
        if quantity is None:
            continue
        if type(quantity) is not int or not 0 <= quantity <= QUANTITY_LIMIT:  # bool is an int to isinstance
            raise _invalid(f"{path}.quantity must be a whole number from 0 to {QUANTITY_LIMIT}", "correct it")
        formation[process_type] = quantity
    return formation


def _env_var(name: str, entry: Any) -> EnvVar:
    _checked("env", names.settable_config_name, name)
    path = f"env.{name}"
    if isinstance(entry, str):
        return EnvVar(_value(path, entry), required=False)
    if not isinstance(entry, dict):
        raise _invalid(f"{path} must be text or an object", f'write it as: "{name}": "..."')
    value = entry.get("value")
    if value is not None:
        _value(f"{path}.value", value)
    required = entry.get("required", value is None)
    if not isinstance(required, bool):
        raise _invalid(f"{path}.required must be true or false, without quotes", "correct it")
    generator = entry.get("generator")
    if generator not in (None, "secret"):
        raise _invalid(f'{path}.generator can only be "secret"', "correct it")
    description = entry.get("description")
    return EnvVar(value, required, generator, description if isinstance(description, str) else "")


def _value(path: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _invalid(f"{path} must be text", "put the value in double quotes")
    return _checked("env", lambda text: names.config_value(path.split(".")[1], text), value)


def _scripts(section: dict) -> Scripts:
    dokku = section.get("dokku")
    if dokku is not None and not isinstance(dokku, dict):
        raise _invalid("scripts.dokku must be an object", 'write it as: "dokku": {"predeploy": "<command>"}')
    dokku = dokku or {}
    first = section.get("postdeploy")
    if isinstance(first, dict):  # Heroku's longer form
        first = first.get("command")
    return Scripts(
        _command("scripts.dokku.predeploy", dokku.get("predeploy")),
        _command("scripts.dokku.postdeploy", dokku.get("postdeploy")),
        _command("scripts.postdeploy", first),
    )


def _command(path: str, value: Any) -> str | None:
    """A command, or None if there is none or it is blank."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise _invalid(f"{path} must be text", "write the command in double quotes")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise _invalid(f"{path} contains a character that a command cannot contain", "remove it")
    if len(value.encode("utf-8")) > 32 * 1024:
        raise _invalid(f"{path} is longer than 32 KiB", "put it in a script and name the script here")
    return value.strip() or None


def _healthchecks(section: dict) -> dict[str, list[dict]]:
    for process_type, checks in section.items():
        _checked("healthchecks", names.process_type, process_type)
        _list_of_objects(f"healthchecks.{process_type}", checks)
    return {process_type: checks or [] for process_type, checks in section.items()}


def _list_of_objects(path: str, value: Any) -> list[dict]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _invalid(f"{path} must be a list", "write it between [ and ]")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise _invalid(f"{path}[{index}] must be an object", "write it between { and }")
    return value


def _object(top: dict, key: str) -> dict:
    value = top.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid(f"{key} must be an object", "write it between { and }")
    return value


def _checked(path: str, check: Any, text: str) -> str:
    """The result of a check in `names`, with its error raised as one of this file."""
    try:
        return check(text)
    except errors.UsageError as error:
        raise _invalid(f"{path}: {error.message}", error.hint) from None


def _invalid(message: str, hint: str) -> errors.InvalidFile:
    return errors.InvalidFile(f"app.json: {message}", _again(hint))


def _again(hint: str) -> str:
    return f"{hint}; then commit and push again"

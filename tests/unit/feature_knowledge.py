"""Where code of the kernel knows a feature: what it does with the names of plugins and of their commands.

Some names of plugins are words of the kernel's own data as well (an app's config, a release's ports). They are told
apart by where they stand, not by a list: a word may name data that the kernel itself declares (a field of a class in
model/, a key that a hook's answer or plugin.toml may have), but never a plugin, nor the table of one.
"""

import ast
import builtins
import tomllib
from pathlib import Path

HOUSE = Path(__file__).parents[2]
KERNEL = HOUSE / "minipaas_lib"
_TOML = [tomllib.loads(path.read_text()) for path in sorted((HOUSE / "plugins").glob("*/plugin.toml"))]
FEATURES = {about["name"] for about in _TOML}
COMMANDS = {command for about in _TOML for command in about.get("commands", {})}
NAMES = FEATURES | {command for command in COMMANDS if ":" in command}  # a command of one word may be any word
BY_PLUGIN = {"plugins", "installed", "own", "PLUGINS"}  # what has a plugin's name as key
BY_COMMAND = {"command", "commands"}
DOCUMENTS = {
    "document",
    "wishes",
    "platform",
}  # of an app, of a release, of all apps: a plugin's table is under its name


def trees(*folders: str) -> list[ast.Module]:
    return [ast.parse(path.read_text()) for folder in folders for path in sorted((KERNEL / folder).glob("*.py"))]


def members(node: ast.ClassDef) -> set[str]:
    """The fields and properties of a class."""
    fields = {
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
    return fields | {item.name for item in node.body if isinstance(item, ast.FunctionDef)}


def data_words() -> dict[str, set[str]]:
    """What the kernel declares as data: by class in model/, and under "" of all of them and in tables of keys."""
    classes = {
        node.name: members(node) for tree in trees("model") for node in tree.body if isinstance(node, ast.ClassDef)
    }
    keys: set[str] = set()
    for node in (node for tree in trees("bus") for node in tree.body if isinstance(node, ast.Assign)):
        table = node.value
        if isinstance(table, ast.Dict) and all(ast.unparse(value) in dir(builtins) for value in table.values):
            keys |= {text for key in table.keys for text in texts(key)}  # ROUTING = {"domains": list, ...}
        elif ast.unparse(node.targets[0]).endswith("KEYS"):
            keys |= set(texts(table))
    return classes | {"": keys.union(*classes.values())}


def parameters() -> dict[str, list[str]]:
    """By function of the kernel, and class that is called, the parameters of it as they are given."""
    found: dict[str, list[str]] = {}
    for path in sorted(KERNEL.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            functions = [(node.name, node)] if isinstance(node, ast.FunctionDef) else []
            if isinstance(node, ast.ClassDef):
                functions = [(node.name, item) for item in node.body if getattr(item, "name", "") == "__init__"]
            for name, function in functions:
                given = [argument.arg for argument in function.args.args if argument.arg not in ("self", "cls")]
                if {"plugin", "command"} & set(given):
                    found[name] = given
    return found


def names(node: ast.AST) -> set[str]:
    """The identifiers of an expression, without its arguments and keys."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute) and node.attr in ("get", "items", "keys", "setdefault", "pop"):
        return names(node.value)
    return {node.attr} if isinstance(node, ast.Attribute) else {node.id} if isinstance(node, ast.Name) else set()


def texts(node: ast.AST) -> list[str]:
    """The texts that an expression is, or that are in it where it is a list, a tuple or a set."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    inner = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else []
    return [text for item in inner for text in texts(item)]


def known(tree: ast.AST) -> list[str]:
    """What a module does that only one who knows a feature can do."""
    wrong = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.Import | ast.ImportFrom) and imported(node):
            wrong.append(ast.unparse(node))
        if isinstance(node, ast.Call) and given(node):
            wrong.append(ast.unparse(node))
        if isinstance(node, ast.Compare) and compared(node):
            wrong.append(ast.unparse(node))
        if (lookup := looked_up(node)) and is_of_feature(*lookup):
            wrong.append(ast.unparse(node))
        if isinstance(node, ast.List) and any(text in COMMANDS and ":" in text for text in texts(node)):  # an argv
            wrong.append(ast.unparse(node))
    return wrong


def imported(node: ast.AST) -> bool:
    """Whether it is the module of a plugin, as an import or as the text for one."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        modules = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        modules = texts(node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node)
    parts = [module.split(".") for module in modules]
    return any(part[0] in ("plugins", "minipaas_plugins") and FEATURES.intersection(part[1:2]) for part in parts)


def given(call: ast.Call) -> bool:
    """Whether a plugin's name is given as a `plugin`, or a command of one as a `command`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    pairs = list(zip(PARAMETERS.get(name, []), call.args, strict=False))
    pairs += [(keyword.arg or "", keyword.value) for keyword in call.keywords]
    kinds = {"plugin": FEATURES, "command": COMMANDS}
    return any(text in kinds.get(parameter, ()) for parameter, value in pairs for text in texts(value))


def compared(node: ast.Compare) -> bool:
    """Whether something is compared with a plugin or a command; not so a hook, or a key with a word of our own data."""
    sides = [node.left, *node.comparators]
    words = {text for side in sides for text in texts(side)}
    others = set().union(*(names(side) for side in sides))
    if others & BY_COMMAND:
        return bool(words & COMMANDS)
    if others == {"hook"}:
        return False
    return bool(words & NAMES - (DATA[""] if others == {"key"} else set()))


def looked_up(node: ast.AST) -> tuple[ast.AST, list[str]] | None:
    """Where something is looked up, and by which texts."""
    if isinstance(node, ast.Subscript):
        return node.value, texts(node.slice)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        if node.func.attr in ("get", "pop", "setdefault"):
            return node.func.value, texts(node.args[0])
    return None


def is_of_feature(place: ast.AST, keys: list[str]) -> bool:
    """Whether one of the keys there is a plugin or a command, and not a word of our own data."""
    words = NAMES.intersection(keys)
    if names(place) & BY_COMMAND:
        return bool(COMMANDS.intersection(keys))
    if names(place) & BY_PLUGIN:
        return bool(words)
    if names(place) == {"modules"}:  # of sys: the package of all plugins has the name of one
        return bool(words - {"plugins"})
    return bool(words - (DATA["App"] if names(place) & DOCUMENTS else DATA[""]))


DATA = data_words()
PARAMETERS = parameters()

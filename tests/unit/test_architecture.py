"""The rules of docs/architecture.md: imports go down only, plugins use the api alone, the kernel knows no feature."""

import ast
from pathlib import Path

import pytest

from minipaas_lib import api
from minipaas_lib.bus import engines
from tests.unit import feature_knowledge

HOUSE = Path(__file__).parents[2]
KERNEL = HOUSE / "minipaas_lib"
PLUGINS = HOUSE / "plugins"
FLOORS = ["store", "model", "bus", "records", "journal", "git", "deploy", "apps", "push"]
"""The rooms from the bottom up. Below them is the ground floor, above them the api, and on top what is run."""
ABOVE = {"commands": "api", "plugin_commands": "api", "api": "api"}
TOP = {"dispatch", "ssh_entry", "cli", "main", "__main__", "self_install", "bundle"}


def floor(module: str) -> int:
    """The floor of a module of ours, by its dotted name."""
    parts = module.split(".")
    if len(parts) == 1:
        return 0
    if parts[1] in FLOORS:
        return FLOORS.index(parts[1]) + 1
    if parts[1] in ABOVE:
        return len(FLOORS) + 1
    return len(FLOORS) + 2 if parts[1] in TOP else 0


def imports(path: Path, package: str) -> list[str]:
    """Every module that a file imports anywhere in it, with `from a import b` as a.b where that is a module."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
            for alias in node.names:
                inner = HOUSE / (base + "." + alias.name).replace(".", "/")
                found.append(f"{base}.{alias.name}" if inner.with_suffix(".py").exists() or inner.is_dir() else base)
    return found


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


def imported_by(path: Path) -> set[str]:
    """What a module imports; of the two tiers of the api also what their tables name in text."""
    name = dotted(path)
    found = {*imports(path, name if path.name == "__init__.py" else name.rpartition(".")[0])}
    for tier in (api, api.kernel):
        if name == tier.__name__:
            found |= {"minipaas_lib." + origin.partition(":")[0] for origin in tier.ORIGINS.values()}
    return found


@pytest.mark.parametrize("path", modules(KERNEL), ids=lambda p: str(p.relative_to(HOUSE)))
def test_imports_go_down_only(path):
    name = dotted(path)
    for imported in imported_by(path):
        if imported.split(".")[0] == "minipaas_lib":
            assert floor(imported) <= floor(name), f"{name} imports {imported}"
        assert imported.split(".")[0] != "plugins", f"{name} imports {imported}"


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Every circle that following the arrows finds, one for each arrow that closes one."""
    import graphlib

    found = []
    graph = {node: {other for other in others if other in graph and other != node} for node, others in graph.items()}
    while True:
        try:
            graphlib.TopologicalSorter(graph).prepare()
            return found
        except graphlib.CycleError as error:
            circle = error.args[1]
            found.append(circle)
            graph[circle[1]].discard(circle[0])


@pytest.mark.parametrize("folder", [KERNEL, PLUGINS], ids=lambda p: p.name)
def test_no_module_leads_back_to_itself(folder):
    assert circles({dotted(path): imported_by(path) for path in modules(folder)}) == []


def test_a_circle_is_seen_and_so_is_an_import_upwards(tmp_path):
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) and not circles({"a": {"b"}, "b": set()})
    assert floor("minipaas_lib.journal.locks") < floor("minipaas_lib.apps.recovery") < floor("minipaas_lib.api")


@pytest.mark.parametrize("path", modules(PLUGINS), ids=lambda p: str(p.relative_to(HOUSE)))
def test_plugins_have_no_private_door(path):
    own = "plugins." + path.relative_to(PLUGINS).parts[0]
    package = ".".join(path.relative_to(HOUSE).parent.parts)
    for imported in imports(path, package):
        first = imported.split(".")[0]
        if first == "minipaas_lib":
            assert imported == "minipaas_lib.api" or imported == "minipaas_lib", f"{path} imports {imported}"
        if first == "plugins":
            assert imported == "plugins" or imported.startswith(own), f"{path} imports {imported}"


CLUSTER = {"cluster", "node", "scheduler_fleet"}  # one feature, whose engines know each other
CONTRACTS = {
    name: {member for member in vars(contract) if not member.startswith("_")}
    for name, contract in (("scheduler", engines.Scheduler), ("router", engines.Router))
}
LOOSE = {"getattr", "hasattr", "setattr", "vars", "cast"}


def engine_names(tree: ast.AST) -> dict[str, str]:
    """The variables and parameters that hold an engine, each with its contract."""
    held = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and (kind := asked_engine(node.value)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            held |= {target.id: kind for target in targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.arg) and node.annotation:
            annotation = ast.unparse(node.annotation).strip("'").rpartition(".")[2]
            held |= {node.arg: annotation.lower()} if annotation.lower() in CONTRACTS else {}
    return held


def asked_engine(node: ast.AST | None) -> str:
    """The contract of what `scheduler()` or `router()` gives, where that is what the expression is."""
    if not isinstance(node, ast.Call) or node.args or node.keywords:
        return ""
    called = ast.unparse(node.func).rpartition(".")[2]
    return called if called in CONTRACTS else ""


def beyond_contract(tree: ast.AST) -> list[str]:
    """What is done with engines that their contracts do not have, or in a way that hides it from the type checker."""
    held, wrong = engine_names(tree), []

    def contract(node: ast.AST | None) -> str:
        return held.get(node.id, "") if isinstance(node, ast.Name) else asked_engine(node)

    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (kind := contract(node.value)) and node.attr not in CONTRACTS[kind]:
            wrong.append(ast.unparse(node))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in LOOSE:
            wrong += [ast.unparse(node)] * any(contract(argument) for argument in node.args)
        if isinstance(node, ast.AnnAssign) and (kind := asked_engine(node.value)):
            annotation = ast.unparse(node.annotation).strip("'").rpartition(".")[2]
            wrong += [ast.unparse(node)] * (annotation.lower() != kind)
    return wrong


@pytest.mark.parametrize("path", [*modules(KERNEL), *modules(PLUGINS)], ids=lambda p: str(p.relative_to(HOUSE)))
def test_no_engine_is_used_beyond_its_contract(path):
    """What an engine may have beside its contract is asked for in bus/engines.py alone."""
    if path.relative_to(HOUSE).parts[1] not in CLUSTER and path != KERNEL / "bus/engines.py":
        assert beyond_contract(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "line",
    [
        "api.scheduler().machines",
        "one = active_engines.router()\none.install()",
        "def place(scheduler: 'api.Scheduler'):\n    scheduler.machines",
        "getattr(api.scheduler(), 'machines', None)",
        "if hasattr(router(), 'check'): pass",
        "there = scheduler()\ncast(Any, there).machines",
        "scheduler: Any = api.scheduler()",
        "vars(api.router())['local']",
    ],
)
def test_a_use_beyond_the_contract_is_seen(line):
    assert beyond_contract(ast.parse(line))
    assert not beyond_contract(
        ast.parse("scheduler: Scheduler = api.scheduler()\nscheduler.stop(scheduler.start(spec))")
    )


@pytest.mark.parametrize("path", modules(KERNEL), ids=lambda p: str(p.relative_to(HOUSE)))
def test_the_kernel_knows_no_feature(path):
    """tests/unit/feature_knowledge.py says what knowing one is. Text for users may name a command that there is."""
    text = path.read_text()
    assert feature_knowledge.known(ast.parse(text)) == []
    for feature in feature_knowledge.FEATURES:
        assert "_" not in feature or feature not in text, f"{feature} is no word of anything else"


@pytest.mark.parametrize(
    "line",
    [
        "from plugins.checks import settings",
        "importlib.import_module('plugins.domains.names')",
        "importlib.import_module(f'plugins.domains.{name}')",
        "plugin_table('checks', app)",
        "app.table('domains')",
        "call_one('report', plugin='registry')",
        "index.load().plugins['cluster']",
        "if 'ports' in catalog.own(): pass",
        "index.load().installed.get('git')",
        "'scheduler_docker' in index.load().hooks['scheduler']",
        "app.document.get('domains', {})",
        "apps.platform()['ports']",
        "document['checks'] = {}",
        "if plugin == 'config': pass",
        "if name == 'git': pass",
        "if caller.command() == 'git:pre-receive': pass",
        "if caller.command() in ('logs', 'run'): pass",
        "index.load().commands['version']",
        "authority.allows('report', name)",
        "manager.call('authorize', key=key, command='apps:list', app='')",
        "subprocess.run([paths.program(), 'ps:restore'])",
    ],
)
def test_knowledge_of_a_feature_is_seen(line):
    assert feature_knowledge.known(ast.parse(line))


@pytest.mark.parametrize(
    "line",
    [
        "importlib.import_module(f'plugins.{plugin}.commands')",
        "self.document.get('config', {})",
        "release.routing.get('domains', [])",
        "entry['ports'] == entry['node']",
        "if hook == 'doctor': pass",
        "manager.call('report', app=app)",
        "raise errors.NotFound(f'there is no app {name}', 'apps:list')",
        "run(['git', 'config', '--list'])",
    ],
)
def test_words_of_the_kernel_itself_are_told_apart(line):
    assert not feature_knowledge.known(ast.parse(line))


def test_every_plugin_says_what_it_is():
    import tomllib

    for folder in sorted(PLUGINS.iterdir()):
        if folder.is_dir() and not folder.name.startswith("__"):
            about = tomllib.loads((folder / "plugin.toml").read_text())
            assert about["name"] == folder.name and about["api"] == 1 and about["summary"]
            assert "version" not in about, "a plugin of ours has the version of the program"

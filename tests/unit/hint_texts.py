"""Collects, without running it, every text of the code that tells a user what to type next.

A hint may be put together from constants, f-strings, conditions, variables and helper functions; `collect()` follows
these and gives each alternative as a template, in which `{expression}` stands for what is only known when it runs.
"""

import ast
import functools
import itertools
import os
import re
from typing import ClassVar, NamedTuple

from minipaas_lib import api

HOUSE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("minipaas_lib", "plugins")
MOST = 400  # alternatives of one hint; more would mean that the reading here goes wrong
TOLD = re.compile(r"(?:\berrors[.][A-Z]\w+|\boutput[.](?:step|info|warn|data)|\bFinding|^fail|cli[.]fail)$")
HANDED_ON = ("hint", "fix")  # error.hint, finding.fix: the hint of another error, which is collected where it is made


class Hint(NamedTuple):
    file: str
    line: int
    template: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.template!r}"


class Module(NamedTuple):
    path: str
    tree: ast.Module
    parents: dict[ast.AST, ast.AST]


@functools.cache
def modules() -> list[Module]:
    """Every Python file of the program, parsed."""
    found = []
    for folder in FOLDERS:
        for place, _, files in os.walk(os.path.join(HOUSE, folder)):
            for file in sorted(files):
                if file.endswith(".py"):
                    with open(os.path.join(place, file), encoding="utf-8") as text:
                        tree = ast.parse(text.read())
                    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
                    found.append(Module(os.path.relpath(os.path.join(place, file), HOUSE), tree, parents))
    return found


@functools.cache
def functions() -> dict[str, list[tuple[Module, ast.FunctionDef]]]:
    """The functions of the program by their name."""
    found: dict[str, list] = {}
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append((module, node))
    return found


@functools.cache
def calls() -> dict[str, list[tuple[Module, ast.Call]]]:
    """The calls of the program by the last part of what is called."""
    found: dict[str, list] = {}
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                found.setdefault(ast.unparse(node.func).rpartition(".")[2], []).append((module, node))
    return found


def collect() -> list[Hint]:
    """The hints of errors, the fixes of findings and what output.hint prints, each alternative by itself."""
    found: dict[Hint, None] = {}
    for module in modules():
        for node in ast.walk(module.tree):
            expression = hint_of(node) if isinstance(node, ast.Call) else None
            if expression is not None:
                for template in Reader(module).read(expression):
                    found[Hint(module.path, expression.lineno, template)] = None
    return [hint for hint in found if hint.template]


def lines() -> list[Hint]:
    """What else a user is told: the messages of errors and what is printed, each alternative by itself."""
    found: dict[Hint, None] = {}
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and node.args and TOLD.search(ast.unparse(node.func)):
                for template in Reader(module, follow=False).read(
                    node.args[2 if "Finding" in ast.unparse(node.func) else 0]
                ):
                    found[Hint(module.path, node.lineno, template)] = None
    return list(found)


def hint_of(call: ast.Call) -> ast.expr | None:
    """The argument of a call that is a hint."""
    called = ast.unparse(call.func)
    if called.endswith("output.hint"):
        return call.args[0]
    place = 3 if called.endswith("Finding") else 1 if "errors." in called or called in ("fail", "cli.fail") else 0
    name = "fix" if place == 3 else "hint"
    if place and len(call.args) > place:
        return call.args[place]
    return next((keyword.value for keyword in call.keywords if place and keyword.arg == name), None)


class Reader:
    """Reads the expressions of one module.

    `seen` are the functions that are being followed; with follow=False no variable and no function is.
    """

    busy: ClassVar[set[ast.expr]] = set()

    def __init__(self, module: Module, seen: frozenset[str] = frozenset(), follow: bool = True) -> None:
        self.module, self.seen, self.follow = module, seen, follow

    def read(self, node: ast.expr) -> list[str]:
        """The templates that an expression can give."""
        texts = None
        if node not in self.busy:  # a variable may be made of itself
            self.busy.add(node)
            texts = self._read(node)
            self.busy.discard(node)
        if texts is None:
            texts = [place(node)]
        texts = list(dict.fromkeys(texts))
        assert len(texts) <= MOST, f"{self.module.path}:{node.lineno}: {len(texts)} alternatives"
        return texts

    def _read(self, node: ast.expr) -> list[str] | None:
        match node:
            case ast.Constant(value=str(text)):
                return [text.replace("{", "{{").replace("}", "}}")]
            case ast.Constant(value=None):
                return [""]
            case ast.JoinedStr(values=values):
                return ["".join(parts) for parts in itertools.product(*map(self.read, values))]
            case ast.FormattedValue(value=value):
                texts = self._text(value) or [place(value)]
                return texts if isinstance(value, ast.IfExp) else [text for text in texts if text] or texts
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return ["".join(parts) for parts in itertools.product(self.read(left), self.read(right))]
            case ast.IfExp(body=body, orelse=orelse):
                return self.read(body) + self.read(orelse)
            case ast.BoolOp(values=values):
                return [text for value in values for text in self.read(value)]
        return self._text(node)

    def _text(self, node: ast.expr) -> list[str] | None:
        """What a variable, a member or a call gives, if that is text of the code; None where only a run can tell."""
        if isinstance(node, (ast.IfExp, ast.BoolOp)) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            return self._read(node)
        if not self.follow:
            return None
        match node:
            case ast.Attribute(attr=attr) if attr in HANDED_ON:
                return [""]
            case ast.Name(id=name):
                return self._variable(node, name)
            case ast.Subscript(value=ast.Name(id=name)):
                return self._table(node, name)
            case ast.Attribute(value=ast.Name(), attr=attr) if attr.isupper():
                return None
            case ast.Call(func=ast.Attribute(value=value, attr="rstrip" | "strip")):
                return self._text(value) or (self.read(value) if isinstance(value, ast.JoinedStr) else None)
            case ast.Call(func=ast.Attribute(value=ast.Dict(values=values), attr="get"), args=[_, other]):
                return [text for value in [*values, other] for text in self.read(value)]
            case ast.Call(
                func=ast.Name(id="next"), args=[ast.GeneratorExp(elt=ast.Name(id=name), generators=[loop]), other]
            ):
                return self._column(name, loop) + self.read(other)
            case ast.Call(func=function):
                return self._returned(ast.unparse(function))
        return None

    def _variable(self, node: ast.AST, name: str) -> list[str] | None:
        scope: ast.AST | None = node
        while scope is not None:
            scope = self.module.parents.get(scope)
            if isinstance(scope, (ast.FunctionDef, ast.Module)):
                values = assigned(scope, name)
                if values:
                    texts = [self.read(value) for value in values if is_text(value)]
                    return [text for more in texts for text in more] or None
                if isinstance(scope, ast.FunctionDef) and (place := place_of(scope, name)):
                    return self._argument(scope, *place)
        return None

    def _argument(self, function: ast.FunctionDef, place: int | None, name: str) -> list[str] | None:
        """What the callers of a function hand over."""
        if name not in HANDED_ON or function.name in self.seen:
            return None
        texts: list[str] = []
        for module, call in calls().get(function.name, []):
            keyword = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
            value = keyword or (call.args[place] if place is not None and len(call.args) > place else None)
            if value is None or not is_text(value):
                continue
            if module.path == self.module.path if function.name.startswith("_") else self.near(module):
                texts += Reader(module, self.seen | {function.name}).read(value)
        return texts or None

    def _returned(self, called: str) -> list[str] | None:
        """What a function of this module, or of the module before the dot, returns, if that is text."""
        where, _, name = called.removeprefix("self.").rpartition(".")
        home = where.rpartition(".")[2]
        if where.startswith("api."):  # a name of the api may be another than its module's
            tier = api.kernel if where.startswith("api.kernel.") else api
            home = getattr(getattr(tier, home, None), "__name__", home).rpartition(".")[2]
        if name in self.seen or home == "names" or name in ("command", "caller_command"):
            return None
        texts = []
        for module, function in functions().get(name, []):
            file = os.path.basename(module.path).removesuffix(".py")
            if not (file == home and self.near(module) if home else module.path == self.imported_from(name)):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None and is_text(node.value):
                    texts += Reader(module, self.seen | {name}).read(node.value)
        return texts or None

    def _column(self, name: str, loop: ast.comprehension) -> list[str]:
        """What `name` can be in a loop over a table of the module: `for pattern, hint in _HINTS`."""
        if not (isinstance(loop.target, ast.Tuple) and isinstance(loop.iter, ast.Name)):
            return []
        place = [ast.unparse(target) for target in loop.target.elts].index(name)
        rows = [row for table in assigned(self.module.tree, loop.iter.id) for row in getattr(table, "elts", [])]
        return [text for row in rows for text in self.read(row.elts[place])]

    def imported_from(self, name: str) -> str:
        """The file of the module that a function of this one is from."""
        for node in ast.walk(self.module.tree):
            if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
                return node.module.replace(".", "/") + ".py"
        return self.module.path

    def near(self, module: Module) -> bool:
        """Whether a module is of the kernel or in the same folder."""
        return module.path.startswith("minipaas_lib/") or os.path.dirname(module.path) == os.path.dirname(
            self.module.path
        )

    def _table(self, node: ast.AST, name: str) -> list[str] | None:
        """The values of a table that is written down in the function or the module around."""
        scope: ast.AST | None = node
        while scope := self.module.parents.get(scope):
            if isinstance(scope, (ast.FunctionDef, ast.Module)):
                for value in assigned(scope, name):
                    if isinstance(value, ast.Dict):
                        return [text for one in value.values for text in self.read(one)]
        return None


def place(node: ast.expr) -> str:
    """What stands in a template for an expression that only a run can tell."""
    return "{" + ast.unparse(node).replace("{", "[").replace("}", "]") + "}"


def is_text(node: ast.expr) -> bool:
    """Whether an expression is about text: constants of other kinds, tables and tuples are not followed."""
    return isinstance(node, (ast.JoinedStr, ast.IfExp, ast.BoolOp, ast.BinOp, ast.Call, ast.Name)) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def place_of(function: ast.FunctionDef, name: str) -> tuple[int | None, str] | None:
    """The place of a parameter among the arguments of a call."""
    positional = [argument.arg for argument in function.args.posonlyargs + function.args.args]
    if name in positional:
        return positional.index(name) - (positional[:1] in (["self"], ["cls"])), name
    return (None, name) if name in [argument.arg for argument in function.args.kwonlyargs] else None


def assigned(scope: ast.AST, name: str) -> list[ast.expr]:
    """The values that a name is given in a scope, also as one of several: `said, hint = ..., ...`."""
    found: list[ast.expr] = []
    nodes = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
    for node in nodes:
        if isinstance(node, ast.NamedExpr) and node.target.id == name:
            found.append(node.value)
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            found += values_for(target, node.value, name)
    return found


def values_for(target: ast.expr, value: ast.expr, name: str) -> list[ast.expr]:
    if isinstance(target, ast.Name):
        return [value] if target.id == name else []
    if isinstance(target, ast.Tuple):
        if isinstance(value, ast.IfExp):
            return values_for(target, value.body, name) + values_for(target, value.orelse, name)
        if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
            pairs = zip(target.elts, value.elts, strict=True)
            return [found for one, other in pairs for found in values_for(one, other, name)]
    return []

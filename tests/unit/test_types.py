"""The public face has types: what a checker reads of api.py is what a plugin gets."""

import ast
from pathlib import Path

from minipaas_lib import api

KERNEL = Path(api.__file__).parents[1]


def typed_names() -> list[tuple[str, str | tuple[str, str]]]:
    """The names that the block for type checkers imports, each with its origin as the table writes it."""
    tree = ast.parse((KERNEL / "api/__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    found: list[tuple[str, str | tuple[str, str]]] = []
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            package = (node.module or "").removeprefix("minipaas_lib").removeprefix(".")
            for alias in node.names:
                place = KERNEL / package.replace(".", "/") / alias.name
                is_module = place.is_dir() or place.with_suffix(".py").exists()
                origin = f"{package}.{alias.name}".lstrip(".") if is_module else (package, alias.name)
                found.append((alias.asname or alias.name, origin))
    return found


def test_types_of_the_api_are_those_of_its_table():
    found = typed_names()
    assert dict(found) == api._MODULES
    assert len(found) == len(api._MODULES), "a name is imported twice"

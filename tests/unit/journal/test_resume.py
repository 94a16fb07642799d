"""The table of who finishes a killed command: every operation has an entry, and every entry leads to a function."""

import ast
import inspect
from pathlib import Path

import pytest

from minipaas_lib.apps import clone, rename
from minipaas_lib.journal import resume

KERNEL = Path(__file__).parents[3] / "minipaas_lib"


@pytest.mark.parametrize("where", [*resume.RESUMERS.values(), resume.TIDY])
def test_an_entry_leads_to_a_function(where):
    parameters = inspect.signature(resume.function(where)).parameters
    assert len(parameters) == (1 if where == resume.TIDY else 2)


def begun() -> set[str]:
    """The operations that commands begin in the journal, by their calls of journal.begin."""
    constants = {"RENAME_TARGET": rename.RENAME_TARGET, "RENAME_SOURCE": rename.RENAME_SOURCE, "CLONE": clone.CLONE}
    found = set()
    for path in KERNEL.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "journal.begin":
                operation = node.args[1]
                found.add(operation.value if isinstance(operation, ast.Constant) else constants[ast.unparse(operation)])
    return found


def test_every_operation_has_an_entry_and_no_entry_is_left_over():
    assert begun() == {*resume.RESUMERS}

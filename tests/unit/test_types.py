"""Both tiers of the api have types: what a checker reads of them is what a plugin gets."""

import ast
from pathlib import Path

import pytest

from minipaas_lib import api

KERNEL = Path(api.__file__).parents[1]


def typed_names(file: Path) -> list[tuple[str, str]]:
    """The names that the block for type checkers imports, each with its origin as the table writes it."""
    tree = ast.parse(file.read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    typed = []
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            package = (node.module or "").removeprefix("minipaas_lib").removeprefix(".")
            for alias in node.names:
                place = KERNEL / package.replace(".", "/") / alias.name
                is_module = place.is_dir() or place.with_suffix(".py").exists()
                origin = f"{package}.{alias.name}".lstrip(".") if is_module else f"{package}:{alias.name}"
                typed.append((alias.asname or alias.name, origin))
    return typed


@pytest.mark.parametrize("tier", [api, api.kernel], ids=["stable", "kernel"])
def test_types_of_the_api_are_those_of_its_table(tier):
    typed = typed_names(Path(tier.__file__))
    assert dict(typed) == tier.ORIGINS
    assert len(typed) == len(tier.ORIGINS), "a name is imported twice"


def test_no_name_is_in_both_tiers():
    assert not api.ORIGINS.keys() & api.kernel.ORIGINS.keys()


@pytest.mark.parametrize("tier", [api, api.kernel], ids=["stable", "kernel"])
def test_each_name_leads_somewhere(tier):
    assert all(getattr(tier, name) is not None for name in dir(tier))


@pytest.mark.parametrize(
    ("tier", "name", "said"),
    [
        (api, "rebuild", "minipaas_lib.api has no rebuild; it is in api.kernel, which may change"),
        (api, "nonsense", "minipaas_lib.api has no nonsense"),
        (api.kernel, "app", "minipaas_lib.api.kernel has no app"),
    ],
)
def test_a_name_that_there_is_not_is_refused_with_the_tier_it_is_in(tier, name, said):
    with pytest.raises(AttributeError, match=f"^{said}$"):
        getattr(tier, name)

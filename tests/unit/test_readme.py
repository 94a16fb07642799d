"""README and the pages of docs/ are true where a machine can tell: set-up commands, links, commands that exist."""

import re
from pathlib import Path

import pytest

from minipaas_lib.bus import index

HOUSE = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "bench/README.md",
    *sorted(f"docs/{path.name}" for path in (HOUSE / "docs").glob("*.md")),
]
GENERATED = ["docs/commands.md", "docs/hooks.md"]
SET_UP = ["sudo ./install.sh --demo", "sudo ./tests/run"]

FENCE = re.compile(r"^ *```[a-z]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CALLED = re.compile(r"(?:^|[\s`])(?:ssh (?:-t )?paas@[\w<>.-]+|minipaas) ([a-z][a-z0-9:-]*)")
NAMED = re.compile(r"(?<![\w@/.:-])([a-z][a-z-]*:[a-z][a-z-]*)(?![\w/.:-])")


def text(page: str) -> str:
    return (HOUSE / page).read_text(encoding="utf-8")


def code(page: str) -> str:
    """All that stands in code blocks, and between backquotes outside of them."""
    blocks = FENCE.findall(text(page))
    indented = re.findall(r"^    (\S.*)$", text(page), re.MULTILINE)
    return "\n".join([*blocks, *indented, *re.findall(r"`([^`\n]+)`", FENCE.sub("", text(page)))])


def anchors(page: str) -> set[str]:
    """The fragments that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text(page)), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_command(word: str, there: dict) -> bool:
    """Whether `word` is a command, or the noun of some (`help config`), or the installer inside the program."""
    return word in there or word == "install" or any(name.startswith(word + ":") for name in there)


def test_readme_has_the_two_set_up_commands_and_no_other():
    lines = [line.strip() for block in FENCE.findall(text("README.md")) for line in block.splitlines()]
    assert [line for line in lines if line.startswith("sudo ./")] == SET_UP
    assert "sudo" not in re.sub("|".join(map(re.escape, SET_UP)), "", code("README.md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page):
    for link in LINK.findall(FENCE.sub("", text(page))):
        if re.match("[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = ((HOUSE / page).parent / path).resolve() if path else HOUSE / page
        assert target.exists(), f"{page} links to {link}"
        if fragment:
            assert fragment in anchors(str(target.relative_to(HOUSE))), f"{page} links to {link}"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_code_exists(page):
    commands = index.load().commands
    nouns = {name.partition(":")[0] for name in commands if ":" in name}
    examples = re.findall(r'^"([a-z-]+:[a-z-]+)" = ', "\n".join(FENCE.findall(text(page))), re.MULTILINE)
    there = {**commands, **dict.fromkeys(examples)}  # the plugin that a page makes up
    for word in CALLED.findall(code(page)):
        assert is_command(word, there), f"{page} shows the command {word}"
    for word in NAMED.findall(code(page)):
        if word.partition(":")[0] in nouns:
            assert word in there, f"{page} shows the command {word}"


def test_the_first_push_is_in_the_first_25_lines_of_the_readme():
    lines = text("README.md").splitlines()
    assert SET_UP[0] in lines[:25] and "git push paas main" in lines[:25]


def test_every_page_is_in_the_order_to_read_in():
    listed = set(LINK.findall(text("README.md").partition("## Read on")[2]))
    assert listed >= {page for page in PAGES if page.startswith("docs/") or page == "bench/README.md"}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in GENERATED and "docs/" in page or page == "README.md"]
)
def test_the_page_has_no_construction_that_no_native_speaker_writes(page):
    assert re.findall(r"\b(?:of ours|(?:is|are) told of|anew|mend(?:s|ed)?|whoever)\b", text(page), re.IGNORECASE) == []


def test_every_noun_is_in_the_overview():
    overview = set(re.findall(r"\(commands\.md#([a-z-]+)\)", text("docs/tour.md")))
    shown = {name.partition(":")[0] for name, entry in index.load().commands.items() if not entry.hidden}
    assert shown == overview


def test_the_example_plugin_is_whole():
    import ast
    import tomllib

    page = text("docs/plugins.md")
    about = tomllib.loads(re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1])
    hooks, commands = (ast.parse(block) for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    functions = [{node.name for node in tree.body if isinstance(node, ast.FunctionDef)} for tree in (hooks, commands)]
    assert functions[0] == set(about["hooks"])
    assert functions[1] == {name.replace(":", "_").replace("-", "_") for name in about["commands"]}

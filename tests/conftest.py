"""What all parts of the tests share: samples.

    pytestmark = pytest.mark.sample("the crash matrix over etcd", 40)

has 40 of all tests with that mark run, drawn by a seed (see sampling.py); more marks of the same name are one sample.
Of tests that take long, a run takes as many as it has time for (see slow.py).
"""

from pathlib import Path

import pytest

from tests import sampling, slow


def pytest_configure(config):
    config.addinivalue_line("markers", "sample(name, count): only `count` of all tests of this mark run, unless --all")
    config.addinivalue_line("markers", "needed_by_others: runs whenever its file does, however long it takes")


@pytest.hookimpl(trylast=True)  # after -k and -m: what somebody asks for by name is not sampled away
def pytest_collection_modifyitems(config, items):
    left_out = sampled_away(items)
    if all(Path(word).is_dir() for word in config.args) and not config.option.keyword:
        left_out |= slow.left_out(item for item in items if item not in left_out)
    if left_out:
        slow.note_commands(left_out)
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def sampled_away(items: list[pytest.Item]) -> set[pytest.Item]:
    """What no sample has. Of a test with several marks the closest is drawn first, then from those the next."""
    marks = {item: [mark.args for mark in item.iter_markers("sample")][::-1] for item in items}  # the closest last
    left_out: set[pytest.Item] = set()
    for level in reversed(range(max(map(len, marks.values()), default=0))):
        groups: dict[tuple[str, int], list[pytest.Item]] = {}
        for item in items:
            if item not in left_out and len(marks[item]) > level:
                groups.setdefault(marks[item][level], []).append(item)
        for (_, count), members in groups.items():
            left_out |= set(members) - set(sampling.sample(members, count))
    return left_out


def pytest_terminal_summary(terminalreporter):
    if not sampling.ALL:
        terminalreporter.write_line(f"Samples were drawn with MINIPAAS_SEED={sampling.SEED}, which repeats them")

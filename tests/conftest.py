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
    groups: dict[tuple[str, int], list[pytest.Item]] = {}
    for item in items:
        if mark := item.get_closest_marker("sample"):
            groups.setdefault(mark.args, []).append(item)
    left_out: set[pytest.Item] = set()
    for (_, count), members in groups.items():
        left_out |= set(members) - set(sampling.sample(members, count))
    if all(Path(word).is_dir() for word in config.args) and not config.option.keyword:
        left_out |= slow.left_out(item for item in items if item not in left_out)
    if left_out:
        slow.note_commands(left_out)
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter):
    if not sampling.ALL:
        terminalreporter.write_line(f"Samples were drawn with MINIPAAS_SEED={sampling.SEED}, which repeats them")

"""The plan of a rollout: pure, so checked for all formations and whatever is there."""

from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib.deploy.plan import make_plan
from minipaas_lib.model.process import Process, process_name
from minipaas_lib.model.release import Release

KINDS = ["web", "worker", "cron"]


def release(formation: dict[str, int], processes: int = 2) -> Release:
    return Release("blog", 3, "sha256:1", commands=dict.fromkeys(KINDS, ""), formation=formation, processes=processes)


def process(
    kind: str = "web", index: int = 1, number: int = 2, state: str = "running", adopted: bool = True
) -> Process:
    return Process(process_name("blog", number, kind, index), "blog", number, kind, index, state=state, adopted=adopted)


def names(items) -> list[str]:
    return [item.name for item in items]


def test_nothing_there():
    steps = make_plan(release({"worker": 1, "web": 2}), [], set())
    assert names(steps.start) == ["blog_v2.web.1", "blog_v2.web.2", "blog_v2.worker.1"], "web first"
    assert steps.keep == () and steps.retire == ()


def test_another_release_is_replaced_as_a_whole():
    old = [process(number=1), process("worker", number=1)]
    steps = make_plan(release({"web": 1}), old, set())
    assert names(steps.start) == ["blog_v2.web.1"] and steps.keep == () and steps.retire == tuple(old)


def test_scale_down_keeps_what_was_adopted_and_the_lowest_index():
    there = [process(index=1, adopted=False), process(index=2), process(index=3)]
    steps = make_plan(release({"web": 1}), there, set())
    assert names(steps.keep) == ["blog_v2.web.2"] and names(steps.retire) == ["blog_v2.web.1", "blog_v2.web.3"]


def test_names_of_retiring_ones_are_taken():
    steps = make_plan(release({"web": 2}), [process(index=1), process(index=2)], {"blog_v2.web.2"})
    assert names(steps.start) == ["blog_v2.web.3"] and names(steps.keep) == ["blog_v2.web.1"] and steps.retire == ()


def test_dead_ones_are_replaced():
    steps = make_plan(release({"web": 1}), [process(state="exited")], set())
    assert names(steps.start) == ["blog_v2.web.2"] and names(steps.retire) == ["blog_v2.web.1"]


processes = st.builds(
    process,
    kind=st.sampled_from(KINDS),
    index=st.integers(1, 6),
    number=st.integers(1, 3),
    state=st.sampled_from(["created", "running", "restarting", "exited"]),
    adopted=st.booleans(),
)


@given(
    st.dictionaries(st.sampled_from(KINDS), st.integers(0, 5)),
    st.lists(processes, max_size=12, unique_by=lambda p: p.name),
    st.data(),
)
def test_what_comes_out_is_the_formation(formation, present, data):
    retiring = set(data.draw(st.lists(st.sampled_from([p.name for p in present] or ["none"]), unique=True)))
    steps = make_plan(release(formation), present, retiring)
    for kind in KINDS:
        after = [item for item in (*steps.start, *steps.keep) if item.process_type == kind]
        assert len(after) == formation.get(kind, 0)
    assert not set(names(steps.start)) & {p.name for p in present}, "no name is taken twice"
    assert len(set(names(steps.start))) == len(steps.start)
    assert all(p.state in ("running", "restarting") and p.release == 2 for p in steps.keep)
    left = {p.name for p in present if p.name not in retiring}
    assert left == set(names(steps.keep)) | set(names(steps.retire))
    assert not set(names(steps.keep)) & set(names(steps.retire))


def test_the_name_of_one_that_retires_is_taken_even_where_its_container_is_gone():
    """A retiring process that was killed between removing the container and noting it goes by the name once more."""
    steps = make_plan(release({"web": 2}), [process()], {process(index=2).name})
    assert names(steps.start) == ["blog_v2.web.3"]

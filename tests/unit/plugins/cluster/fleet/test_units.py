import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors, names
from minipaas_lib.model.process import ContainerSpec, process_name
from plugins.cluster.fleet import unit_file, units
from tests.cluster.fleet_double import unitfile as fleets_reader

IMAGE = "10.0.0.1:5000/minipaas:1.0"


def spec(app="blog", release=3, process_type="web", index=1, **more):
    name = process_name(app, release, process_type, index)
    return ContainerSpec(name, app, release, process_type, index, image="sha256:1", **more)


def values(options, section, name):
    return [option.value for option in options if (option.section, option.name) == (section, name)]


def test_the_text_of_a_process_unit():
    assert unit_file.text(units.process_unit(spec(port=5000), IMAGE)) == (
        "[Unit]\n"
        "Description=minipaas: blog_v3.web.1\n"
        "After=docker.service\n"
        "Wants=docker.service\n"
        "StartLimitIntervalSec=0\n"
        "\n"
        "[Service]\n"
        'ExecStartPre=/bin/sh -c "/usr/bin/docker container inspect --format ok blog_v3.web.1 >/dev/null 2>&1'
        " || exec /usr/bin/docker run --rm --network host --pid host --volume /var/run/docker.sock:/var/run/docker.sock"
        " --volume /run/fleet.sock:/run/fleet.sock --volume /var/lib/minipaas/cache:/var/lib/minipaas/cache"
        " --volume /etc/minipaas:/etc/minipaas:ro"
        ' --volume /etc/machine-id:/etc/machine-id:ro 10.0.0.1:5000/minipaas:1.0 node:create blog_v3.web.1"\n'
        "ExecStart=/usr/bin/docker start --attach blog_v3.web.1\n"
        'ExecStop=/bin/sh -c "/usr/bin/docker exec minipaas-agent minipaas node:hand-over blog_v3.web.1 '
        ">/dev/null 2>&1;"
        ' exec /usr/bin/docker stop --time 30 blog_v3.web.1"\n'
        "Restart=always\n"
        "RestartSec=2\n"
        "SuccessExitStatus=137 143\n"
        "TimeoutStartSec=600\n"
        "TimeoutStopSec=90\n"
        "StandardOutput=null\n"
    )


words = st.text(alphabet="abcXYZ09 $%'\"\\\n;|&=ü", max_size=30)


@given(
    app=st.from_regex(names.APP_NAME, fullmatch=True),
    process_type=st.from_regex(names.PROCESS_TYPE, fullmatch=True),
    release=st.integers(1, 999999999),
    index=st.integers(1, 999999999),
    environment=st.dictionaries(st.from_regex(names.CONFIG_NAME, fullmatch=True), words, max_size=3),
    command=words,
    tags=st.dictionaries(words, words, max_size=2),
    nodes=st.integers(1, 9),
)
def test_any_process_has_a_unit_that_fleet_reads_back(
    app, process_type, release, index, environment, command, tags, nodes
):
    one = spec(app, release, process_type, index, environment=environment, command=command)
    try:
        options = units.process_unit(one, IMAGE, tags, nodes)
    except errors.UsageError:
        assert tags  # nothing else of it can be wrong
        return
    text = unit_file.text(options)
    assert fleets_reader.deserialize(text) == options
    # Environment and command are not in it: with others the unit is the same, to the byte.
    assert text == unit_file.text(units.process_unit(spec(app, release, process_type, index), IMAGE, tags, nodes))
    assert units.process_of(unit_file.name(units.unit_name(one.name))) == (app, release, process_type, index)
    assert bool(values(options, "X-Fleet", "Conflicts")) is (nodes > 2 and (index - 1) % (nodes - 1) > 0)


def test_processes_keep_apart_only_within_their_release_and_type():
    def others(index: int, nodes: int = 4) -> list[str]:
        return values(units.process_unit(spec("blog", 3, "web", index), IMAGE, nodes=nodes), "X-Fleet", "Conflicts")

    assert others(1) == [] and others(2) == ["blog_v3.web.1.service"]
    assert others(3) == ["blog_v3.web.1.service", "blog_v3.web.2.service"], "by name: later ones are free to come"
    assert others(4) == [], "as many as machines: the one of a machine that is lost must find a place"
    assert others(3, nodes=3) == [] and others(4, nodes=3) == ["blog_v3.web.3.service"]
    assert len(others(99, nodes=5000)) == units.MACHINES - 2


@given(count=st.integers(1, 12), nodes=st.integers(2, 7), lost=st.booleans())
def test_all_find_a_place_wherever_fleet_puts_them_and_none_is_alone_with_all(count, nodes, lost):
    places = nodes - lost
    taken = [set() for _ in range(places)]
    for index in range(1, count + 1):
        others = set(units.apart_from("blog", 3, "web", index, nodes))
        free = [place for place in taken if not place & others]
        assert free
        max(free, key=len).add(units.unit_name(f"blog_v3.web.{index}"))  # the worst that fleet can do
    assert count < 2 or nodes < 3 or max(map(len, taken)) < count


def test_tags_place_it():
    options = units.process_unit(spec(), IMAGE, {"zone": "b", "disk": "ssd"})
    assert values(options, "X-Fleet", "MachineMetadata") == ["disk=ssd", "zone=b"]
    with pytest.raises(errors.UsageError, match="a tag's value"):
        units.process_unit(spec(), IMAGE, {"disk": 'ssd" "x=y'})


@pytest.mark.parametrize(
    "policy, restart, burst",
    [
        ("unless-stopped", "always", []),
        ("always", "always", []),
        ("no", "no", []),
        ("on-failure", "on-failure", []),
        ("on-failure:5", "on-failure", ["6"]),
    ],
)
def test_restart_policies(policy, restart, burst):
    options = units.process_unit(spec(restart=policy), IMAGE)
    assert values(options, "Service", "Restart") == [restart]
    assert values(options, "Unit", "StartLimitBurst") == burst


@pytest.mark.parametrize("policy", ["sometimes", "always:3", "no\n", "on-failure:-1"])
def test_an_unknown_restart_policy_is_refused(policy):
    with pytest.raises(errors.BadConfig):
        units.process_unit(spec(restart=policy), IMAGE)


def test_a_name_that_is_not_the_specs_is_refused():
    with pytest.raises(errors.UsageError):
        units.process_unit(ContainerSpec("blog_v3.web.2", "blog", 3, "web", 1, image="x"), IMAGE)


@pytest.mark.parametrize("image", ["", "-v", "a b", "a;b", "a\nb"])
def test_an_image_name_that_is_none_is_refused(image):
    with pytest.raises(errors.BadConfig):
        units.process_unit(spec(), image)


@given(st.text(max_size=40))
def test_other_units_are_no_processes(text):
    found = units.process_of(text)
    assert found is None or units.unit_name(process_name(*found)) == text


@pytest.mark.parametrize(
    "name", ["minipaas-agent.service", "blog_v0.web.1.service", "blog_v3.web.1", "blog_v3.web.1.timer"]
)
def test_names_of_other_units(name):
    assert units.process_of(name) is None


def test_a_global_unit():
    command = units.node_run(IMAGE, "agent", name="minipaas-agent")
    options = units.global_unit("minipaas-agent", "minipaas: agent", command, {"role": "web"})
    assert unit_file.is_global(options)
    assert values(options, "X-Fleet", "MachineMetadata") == ["role=web"]
    assert values(options, "Service", "ExecStart")[0].endswith(" 10.0.0.1:5000/minipaas:1.0 agent")
    assert values(options, "Service", "ExecStartPre") == ["-/usr/bin/docker rm --force minipaas-agent"]
    assert fleets_reader.deserialize(unit_file.text(options)) == options

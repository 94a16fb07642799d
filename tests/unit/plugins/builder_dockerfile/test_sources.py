"""Which images a Dockerfile names: all of them, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from minipaas_lib.model import image as images
from plugins.builder_dockerfile import client, foreign, sources
from plugins.builder_dockerfile.job import Job

DOCKER, CLASSIC = client.Client("/usr/bin/docker", True), client.Client("/usr/bin/docker", False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM debian:12\n", ["debian:12"]),
        ("FROM debian AS base\nFROM base\nCOPY --from=base /a /b\nCOPY --from=0 /a /b\n", ["debian"]),
        ("FROM scratch\nCOPY --from=nginx:1 --chown=1 /a /b\n", ["nginx:1"]),
        ("FROM --platform=linux/amd64 a/b AS c\n", ["a/b"]),
        ("ARG V=12\nARG I=debian\nFROM $I:${V}\nFROM ${NONE:-alpine}\nFROM x${V:+y}\n", ["debian:12", "alpine", "xy"]),
        ("ARG V=12\nFROM debian:$V\nARG W=1\nFROM a:$W\n", ["debian:9", "a:$W"]),
        ("FROM scratch\nRUN --mount=type=bind,from=tools,target=/t --network=none make\n", ["tools"]),
        ("from a\nonbuild copy --FROM=b /x /y\n", ["a", "b"]),
        ("# FROM no\nRUN echo FROM no\nRUN make --from=no\n", []),
        ("FROM \\\n # a comment\n\n  debian\n", ["debian"]),
        ("# escape=`\nFROM `\ndebian\n", ["debian"]),
        ("FR\\\nOM deb\\\nian\n", ["debian"]),
        ("RUN x \\\\\nFROM \\\na\n", ["a"]),
        ("\ufeffFROM a\r\nFROM 'b'\"c\"\r\n", ["a", "bc"]),
        ("FROM scratch\nCOPY --from=later /a /b\nFROM scratch AS later\n", ["later"]),
    ],
)
def test_references(text, found):
    assert [
        image for image in sources.references(text, {"V": "9"} if "debian:9" in found else {}) if image not in ("\\",)
    ] == found


@pytest.mark.parametrize("blank", ["\x1c", "\x1d", "\x1e", "\x1f"])
def test_words_end_where_go_ends_them(blank):
    """Python takes these for blanks too."""
    assert sources.references(f"FROM --platform=a{blank}b minipaas/victim\n", {}) == ["minipaas/victim"]
    assert f"x{blank}" in sources.references(f"FROM x\\\n{blank}\nFROM minipaas/victim\n", {})
    assert sources.references("FROM\v\u3000minipaas/victim\f\n", {}) == ["minipaas/victim"]


def split(draw, text):
    """The text with the line continued somewhere in it."""
    place = draw(st.integers(0, len(text)))
    return text[:place] + "\\\n" + text[place:] if draw(st.booleans()) else text


@st.composite
def thefts(draw):
    """A Dockerfile that uses the image of the app `victim`."""
    tag = draw(st.sampled_from(["", ":v1", ":v3", "@sha256:" + "a" * 64, ":v1@sha256:" + "b" * 64]))
    image = draw(st.sampled_from(["", "docker.io/", "index.docker.io/"])) + "minipaas/victim" + tag
    head, kind = "", draw(st.sampled_from(["plain", "quoted", "argument", "pieces", "default"]))
    if kind == "quoted":
        image = f'"{image}"'
    elif kind == "argument":
        head, image = f"ARG IMAGE={image}\n", draw(st.sampled_from(["$IMAGE", "${IMAGE}", "${IMAGE:-x}"]))
    elif kind == "pieces":
        head, image = "ARG A=mini\nARG B=${A}paas\n", image.replace("minipaas", "${B}")
    elif kind == "default":
        image = "${NOTHING:-" + image + "}"
    verbs = st.sampled_from(["FROM {}", "from {} as x", "FROM --platform=linux/amd64 {}", "FrOm\t{}"])
    if kind in ("plain", "quoted"):
        verbs |= st.sampled_from(
            [
                "COPY --from={} / /",
                "copy --chown=0 --from={} / /",
                "ONBUILD COPY --from={} / /",
                "RUN --mount=type=bind,from={},target=/x ls",
                "RUN --network=none --mount=from={},target=/x ls",
            ]
        )
    line = split(draw, draw(verbs).format(image))
    first = (
        draw(st.sampled_from(["FROM scratch\n", "# a comment\n", "\n", "FROM scratch AS x\nRUN a \\\n  b\n"]))
        if "FROM" not in line.upper()[:6]
        else ""
    )
    return head + first + line + draw(st.sampled_from(["\n", "", "\r\n", "\nRUN true\n"]))


@given(thefts())
def test_no_way_of_writing_hides_another_apps_image(text):
    assert "victim" in [images.named_app(image) for image in sources.references(text, {})], text


@given(st.text())
def test_any_text_can_be_read(text):
    assert all(image.strip() for image in sources.references(text, {}))
    assert (images.named_app(text) or "x") in text + "x"


def test_values_that_double_each_other_end():
    text = "ARG A0=xxxxxxxxxx\n" + "".join(f"ARG A{n + 1}=$A{n}$A{n}\n" for n in range(200)) + "FROM $A200\n"
    assert len(sources.references(text, {})) == 1


@pytest.mark.parametrize(
    "image",
    [
        "debian",
        "minipaas",
        "ghcr.io/minipaas/blog",
        "library/minipaas/x",
        "xminipaas/blog",
        "localhost:5000/minipaas/blog",
    ],
)
def test_other_images_have_no_owner(image):
    assert images.named_app(image) == ""


@pytest.fixture
def apps(world, monkeypatch):
    for name in ("blog", "victim"):
        world.ok("apps:create", name)
    world.images = {
        "innocent": {"Id": "sha256:" + "1" * 64, "Config": {"Labels": {"minipaas.app": "victim"}}},
        "own": {"Id": "sha256:" + "2" * 64, "Config": {"Labels": {"minipaas.app": "blog"}}},
        "debian": {"Id": "sha256:" + "3" * 64, "Config": {"Labels": None}},
        "33333333": {"Id": "sha256:" + "3" * 64, "Config": {}},
        "minipaas/blog:v1": {
            "Id": "sha256:" + "5" * 64,
            "Config": {"Labels": {"minipaas.app": "victim"}},
        },  # the name counts
        "trap": {"Id": "sha256:" + "4" * 64, "Config": {"OnBuild": ["COPY --from=minipaas/victim:v1 / /"]}},
    }
    monkeypatch.setattr(foreign, "inspect", lambda client, reference: world.images.get(reference))
    return world


def watch(text, docker=DOCKER):
    return foreign.Watch(docker, Job("blog", 1, "c", "/c", dockerfile=text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "FROM minipaas/victim:v1",
        "FROM innocent",
        "FROM trap",
        "FROM 33333333",
        "# syntax=evil\nFROM debian",
        "# syntax=docker/dockerfile:1.0-experimental\nFROM debian",
        "FROM debian\nCOPY --from=innocent / /",
    ],
)
@pytest.mark.parametrize("docker", [DOCKER, CLASSIC])
def test_what_is_refused_before_a_build(apps, text, docker):
    with pytest.raises(errors.BuildFailed):
        watch(text, docker).before()


@pytest.mark.parametrize(
    "text",
    [
        "FROM debian",
        "FROM own",
        "FROM minipaas/blog:v1",
        "FROM scratch",
        "FROM nowhere",
        "# syntax=docker/dockerfile:1\nFROM debian",
    ],
)
def test_what_is_let_through(apps, text):
    for docker in (DOCKER, CLASSIC):
        watch(text, docker).before()
        with pytest.raises(errors.BuildFailed):
            watch(text + "\nCOPY --from=minipaas/victim:v1 / /", docker).before()


def test_an_image_of_ours_that_is_not_here_is_no_registrys(apps):
    for text in ("FROM minipaas/blog:v9", "FROM debian\nCOPY --from=docker.io/minipaas/blog / /"):
        with pytest.raises(errors.BuildFailed, match="is not on this host"):
            watch(text).before()


def test_images_go_with_the_name_of_their_app(apps, fake):
    """A label says the name that the app had when the image was built."""
    api.kernel.destroy_app("blog")
    api.kernel.destroy_app("victim")
    api.kernel.create_app("former")
    api.kernel.rename_app("former", "blog")
    apps.images["own"]["Config"]["Labels"]["minipaas.app"] = "former"
    watch("FROM own\nCOPY --from=minipaas/blog:v1 / /").before()
    with pytest.raises(errors.BuildFailed, match="is not on this host") as caught:
        watch("FROM minipaas/former:v1").before()
    assert "former was renamed to blog, and so were its images: FROM minipaas/blog" in caught.value.hint
    api.kernel.create_app("former")
    with pytest.raises(errors.BuildFailed, match="image of the app former"):
        watch("FROM own").before()


def test_what_cannot_be_told_is_left_to_buildkit_and_refused_without_it(apps):
    watch("FROM $WHAT").before()
    with pytest.raises(errors.BuildFailed, match="it is not clear which image"):
        watch("FROM $WHAT", CLASSIC).before()


@pytest.mark.parametrize(
    "line",
    [
        "#3 [internal] load metadata for docker.io/minipaas/victim:v1",
        "#9 FROM docker.io/minipaas/victim:v1@sha256:aa",
        "#4 [stage-1 1/2] FROM innocent",
        "#2 resolve image config for docker.io/minipaas/victim:v2",
        "#2 docker-image://docker.io/minipaas/victim:latest",
    ],
)
def test_what_buildkit_takes_up_is_looked_at(apps, line):
    looked = watch("")
    looked.line("#5 [1/2] FROM docker.io/library/debian:12")
    looked.line("#6 0.123 FROM docker.io/minipaas/victim:v1")  # what a step prints
    looked.line("#7 [2/2] RUN echo FROM docker.io/minipaas/victim:v1")
    with pytest.raises(errors.BuildFailed, match="image of the app victim"):
        looked.line(line)


def test_a_plugin_may_let_it_and_only_for_whom_it_names(apps, plugs):
    plugs.add(
        "roles",
        ["may_use_image"],
        hooks_py=(
            "from minipaas_lib import api\n"
            "@api.hookimpl\n"
            "def may_use_image(app, owner):\n"
            "    return True if (app.name, owner) == ('blog', 'victim') else None\n"
        ),
    )
    apps.images["minipaas/victim:v1"] = apps.images["innocent"]
    watch("FROM minipaas/victim:v1").before()
    with pytest.raises(errors.BuildFailed):
        watch("FROM minipaas/other:v1").before()
    with pytest.raises(errors.BuildFailed):
        api.check_image_owner(api.App("victim"), "blog")

"""What ADD has docker ask: nothing that is this host's own, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import cluster_settings, errors
from plugins.builder_dockerfile import downloads


@pytest.mark.parametrize(
    "text",
    [
        "ADD http://127.0.0.1/x /y",
        "add HTTP://localhost:8080 /y",
        'ADD ["http://127.0.0.1","/y"]',
        "ADD --chown=1 --checksum=sha256:a http://[::1]:80/x /y",
        "ARG U=http://127.0.0.1\nADD $U/x /y",
        "FROM x\nARG HOST\nENV P=127\nENV U=http://$P.0.0.1\nADD ${U}/x /",
        "ENV U http://169.254.169.254\nADD $U/latest /",
        "ADD ${N:-http://127.0.0.1}/x /",
        "ENV U=http://127.0.0.1\nARG U=http://example.org\nADD $U /",
        "ARG U=a\nADD http://$U.localhost/ /",
        "ADD a b http://127.0.0.1/x /y/",
        "ONBUILD ADD http://127.0.0.1/ /",
        "ADD \\\n# c\n http://127.0.0.1/ /",
        "ADD http://127.0.\\\n0.1/x /y",
        "# escape=`\nADD http://127.`\n0.0.1/x /y",
        'ADD ["\\u0068ttp://127.0.0.1/x", "/y"]',
        "ADD http://a:b@127.0.0.1/x /y",
        "ADD http://good.example@127.1/x /",
        "ADD http://2130706433/ /",
        "ADD git@localhost:x.git /",
        "ADD git://127.0.0.1/x /",
        "ADD https://127.0.0.1#a /",
        "ADD http://127.0.0.1?x /",
        "ADD\vhttp://0.0.0.0:80/ /",
    ],
)
def test_this_host_is_not_asked(text):
    with pytest.raises(
        errors.BuildFailed, match="ADD in the Dockerfile cannot be done: .*minipaas does not fetch from there"
    ) as caught:
        downloads.check(f"FROM scratch\n{text}\n", {})
    assert "COPY" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "ARG B=http://127.0.0.1\nADD ${A:-${B}}/x /",
        "ARG S=ht\nADD ${A:-${S}}tp://localhost/ /",
        "ADD ${A:-${B:-${C:-http://127.0.0.1}}} /",
        "ARG U=http://127.0.0.1\nADD ${U:?no}/x /",
        "ENV U=http://example.org\nFROM y\nARG U=http://127.0.0.1\nADD $U /",
        "ARG U=http://example.org\nFROM y\nADD ${U:-http://127.0.0.1} /",
        "ENV U=http://127.0.0.1\nFROM y\nENV U=http://example.org\nFROM a\nADD $U /",
        "ENV U=http://127.0.0.1\nRUN <<E\nENV U=http://example.org\nE\nADD $U /",
    ],
)
def test_whichever_value_a_variable_has(text):
    with pytest.raises(errors.BuildFailed, match="minipaas does not fetch from there"):
        downloads.check(f"FROM scratch AS a\n{text}\n", {})


def test_values_that_double_each_other_end():
    text = "ENV A0=a A0=b\n" + "".join(f"ENV A{n}=$A{n - 1}$A{n - 1}\nENV A{n}=x$A{n - 1}\n" for n in range(1, 40))
    with pytest.raises(errors.BuildFailed, match="too many values"):
        downloads.check(f"FROM scratch\n{text}ADD $A39 /\n", {})
    paths = "ENV PATH=/x:$PATH\nENV A=$PATH\n" * 50
    downloads.check(f"FROM x\n{paths}ENV B=$B:/bin\nENV B=$B:/usr/bin\nADD $B /\nADD http://10.0.0.1/$V /\n", {})


def test_build_arguments_are_filled_in():
    with pytest.raises(errors.BuildFailed):
        downloads.check("FROM x\nARG U=http://10.0.0.1\nADD $U/x /y", {"U": "http://127.0.0.1"})
    downloads.check("FROM x\nARG U=http://127.0.0.1\nADD $U/x /y", {"U": "http://10.0.0.1"})


@pytest.mark.parametrize(
    "text",
    [
        "ADD http://10.0.0.1/x /y",
        "ADD . /app",
        "ADD localhost:x /y",
        'ADD ["a", "b"]',
        "RUN wget http://127.0.0.1/",
        "# ADD http://127.0.0.1/ /",
        "ADD $UNKNOWN/x /y",
        "ADD http://[fd12::1]/x /",
        "ADD [ /",
        "HEALTHCHECK CMD wget http://localhost:$PORT/",
    ],
)
def test_what_is_not_this_hosts_own_passes(text):
    downloads.check(f"FROM scratch\n{text}\n", {})
    with pytest.raises(errors.BuildFailed):
        downloads.check(f"FROM scratch\n{text}\nADD http://127.0.0.1/x /\n", {})


def test_the_inner_ports_of_a_cluster_are_not_asked():
    cluster_settings.assume(cluster_settings.ClusterSettings(("http://10.0.0.1:2379",)))
    try:
        with pytest.raises(errors.BuildFailed, match="that the cluster uses internally"):
            downloads.check("FROM x\nADD http://10.0.0.1:2379/v2/keys /y", {})
        downloads.check("FROM x\nADD http://10.0.0.1:5000/x /y", {})
    finally:
        cluster_settings.assume(None)


def test_names_that_take_long_are_left_to_docker(monkeypatch):
    import time

    monkeypatch.setattr(downloads, "_PATIENCE", 0.2)
    monkeypatch.setattr(downloads.api.kernel.destinations, "resolve", lambda host, port: time.sleep(2))
    began = time.monotonic()
    downloads.check("FROM x\n" + "".join(f"ADD http://h{n}.test/ /\n" for n in range(40)), {})
    assert time.monotonic() - began < 1
    with pytest.raises(errors.BuildFailed, match="the limit is 50"):
        downloads.check("FROM x\n" + "".join(f"ADD http://h{n}.test/ /\n" for n in range(60)), {})


@given(st.text(), st.text())
def test_any_text_is_read(text, word):
    words = downloads.added("ADD " + text, {})
    assert len(words) == len(set(words))
    for place in (word, "http://" + word):
        host, port = downloads.place_of(place)
        assert host in place and (port > 0 or not host)

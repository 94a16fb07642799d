"""The cluster's own authority: strict verifiers take what it signs, and it signs what it is for and no more."""

import ssl
import subprocess

import pytest

from plugins.cluster.head import certificate_authority
from plugins.cluster.transport import protocol
from plugins.cluster.transport import tls as cluster_tls
from tests.cluster import tls


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return certificate_authority.make(str(tmp_path_factory.mktemp("authority")))


def shown(pem: str) -> str:
    return subprocess.run(
        ["openssl", "x509", "-noout", "-text"], input=pem, capture_output=True, text=True, check=True
    ).stdout


def context(server: bool, ca: str, keys: dict, folder) -> ssl.SSLContext:
    """As ssl.create_default_context makes it from Python 3.13 on."""
    purpose = ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH
    result = ssl.create_default_context(purpose, cadata=ca)
    result.verify_flags |= ssl.VERIFY_X509_STRICT
    result.verify_mode = ssl.CERT_REQUIRED
    (folder / "pair.pem").write_text(keys["cert"] + keys["key"])
    result.load_cert_chain(folder / "pair.pem")
    return result


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str | None) -> dict:
    """What the server sees of the client. Raises ssl.SSLError, whichever side it comes from."""
    near, far = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(far, near, server_hostname=name)
    answers = server.wrap_bio(near, far, server_side=True)
    for _ in range(10):
        done = 0
        for side in (asks, answers):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
        if done == 2:
            return answers.getpeercert()
    raise AssertionError("the handshake does not end")


def test_strict_contexts_take_them(made, tmp_path):
    server = context(True, made["agent"]["ca"], made["agent"], tmp_path)
    client = context(False, made["head"]["ca"], made["head"], tmp_path)
    assert cluster_tls.is_head(shake(server, client, protocol.AGENT))
    assert cluster_tls.is_head(shake(server, cluster_tls.client_context(made["head"]), protocol.AGENT))


def test_urllib3_takes_them(made, tmp_path):
    urllib3 = pytest.importorskip("urllib3")
    server = context(True, made["agent"]["ca"], made["agent"], tmp_path)
    client = urllib3.util.ssl_.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN  # as urllib3 2.8 does from 3.13 on
    client.load_verify_locations(cadata=made["head"]["ca"])
    (tmp_path / "pair.pem").write_text(made["head"]["cert"] + made["head"]["key"])
    client.load_cert_chain(tmp_path / "pair.pem")
    assert cluster_tls.is_head(shake(server, client, protocol.AGENT))


def test_what_is_in_them(made):
    authority, agent, head = (shown(pem) for pem in (made["agent"]["ca"], made["agent"]["cert"], made["head"]["cert"]))
    assert "CA:TRUE, pathlen:0" in authority and "Certificate Sign, CRL Sign" in authority
    assert authority.count("critical") == 2
    for text, name, use in (
        (agent, "DNS:minipaas-agent", "TLS Web Server"),
        (head, "DNS:minipaas-head", "TLS Web Client"),
    ):
        assert "CA:FALSE" in text and "Digital Signature" in text and "Certificate Sign" not in text
        assert name in text and use in text and text.count("TLS Web") == 1
    for text in (authority, agent, head):
        assert "Subject Key Identifier" in text and "Authority Key Identifier" in text and "Version: 3" in text


def test_each_is_for_one_thing(made, tmp_path):
    """An agent's certificate lets nobody in, and a head's is none that a head talks to."""
    server = context(True, made["agent"]["ca"], made["agent"], tmp_path)
    with pytest.raises(ssl.SSLError):
        shake(server, context(False, made["head"]["ca"], made["agent"], tmp_path), protocol.AGENT)
    server = context(True, made["agent"]["ca"], made["head"], tmp_path)
    with pytest.raises(ssl.SSLError):
        shake(server, context(False, made["head"]["ca"], made["head"], tmp_path), protocol.HEAD)


def test_each_authority_has_a_name_of_its_own(made, tmp_path):
    other = certificate_authority.make(str(tmp_path))
    assert (
        shown(other["head"]["ca"]).split("Issuer:")[1].split("\n")[0]
        != shown(made["head"]["ca"]).split("Issuer:")[1].split("\n")[0]
    )
    both = made["head"]["ca"] + other["head"]["ca"]
    for mine in (made, other):
        server = context(True, both, mine["agent"], tmp_path)
        for theirs in (made, other):
            assert cluster_tls.is_head(shake(server, context(False, both, theirs["head"], tmp_path), protocol.AGENT))
    with pytest.raises(ssl.SSLError):
        server = context(True, made["agent"]["ca"], made["agent"], tmp_path)
        shake(server, context(False, both, other["head"], tmp_path), protocol.AGENT)


def test_the_key_of_the_authority_is_gone(made, tmp_path):
    certificate_authority.make(str(tmp_path))
    assert not list(tmp_path.glob("ca-key*"))


def test_those_of_the_tests_of_etcd_are_strict_too(tmp_path):
    tls.authority(tmp_path, "ca")
    tls.server(tmp_path, "ca", "member", "127.0.0.1")
    tls.client(tmp_path, "ca", "asks")

    def pair(name: str) -> dict:
        return {"cert": (tmp_path / f"{name}.pem").read_text(), "key": (tmp_path / f"{name}.key").read_text()}

    ca = (tmp_path / "ca.pem").read_text()
    assert shake(context(True, ca, pair("member"), tmp_path), context(False, ca, pair("asks"), tmp_path), "127.0.0.1")

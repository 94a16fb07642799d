"""What to do where something could not be fetched, by what programs really print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import downloads
from minipaas_lib.downloads import CERTIFICATE, NAME, WAY

PIP = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection "
    "broken by 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "unable to get local issuer certificate (_ssl.c:992)'))': /simple/flask/\n"
    "ERROR: No matching distribution found for flask"
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PIP, CERTIFICATE),
        ("npm ERR! code SELF_SIGNED_CERT_IN_CHAIN\nnpm ERR! self-signed certificate in certificate chain", CERTIFICATE),
        ("npm error code UNABLE_TO_VERIFY_LEAF_SIGNATURE", CERTIFICATE),
        ("curl: (60) SSL certificate problem: unable to get local issuer certificate", CERTIFICATE),
        (
            "fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none CRLfile: none",
            CERTIFICATE,
        ),
        (
            "Certificate verification failed: The certificate is NOT trusted. The certificate issuer is unknown.",
            CERTIFICATE,
        ),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", CERTIFICATE),
        ("javax.net.ssl.SSLHandshakeException: PKIX path building failed", CERTIFICATE),
        ("fatal: unable to access 'https://x.invalid/': Could not resolve host: x.invalid", NAME),
        (
            (
                "ssh: Could not resolve hostname x.invalid: Name or service not known\n"
                "fatal: Could not read from remote repository."
            ),
            NAME,
        ),
        ("Err:1 http://deb.debian.org/debian bookworm InRelease\n  Temporary failure resolving 'deb.debian.org'", NAME),
        (
            "npm ERR! request to https://registry.npmjs.org/x failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org",
            NAME,
        ),
        ("dial tcp: lookup registry.example.org on 192.0.2.1:53: no such host", NAME),
        ("wget: bad address 'example.org'", NAME),
        ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", NAME),
        ("curl: (7) Failed to connect to 10.0.0.1 port 443: Connection refused", WAY),
        ("dial tcp 192.0.2.1:443: i/o timeout", WAY),
        ("make: *** [all] Error 2", ""),
        ("ModuleNotFoundError: No module named 'flask'", ""),
        ("", ""),
    ],
)
def test_what_went_wrong(text, kind):
    assert downloads.fault(text) == kind


def test_a_certificate_leads_to_the_authority_of_builds():
    assert "ssh paas@<host> builder:set blog ca-file - < ca.pem" in downloads.in_build(PIP, "blog")
    assert "http-proxy" in downloads.in_build("Could not resolve host: pypi.org", "blog")
    assert downloads.in_build("psql: connection refused", "blog") == "", "it may be the app's own"
    assert "update-ca-certificates" in downloads.by_host(PIP)
    assert "/etc/docker/certs.d/r.example.org:5000/ca.crt" in downloads.by_docker(
        "x509: certificate signed by", "r.example.org:5000"
    )


@given(st.text(max_size=80))
def test_any_text_is_taken(text):
    assert downloads.fault(text) in (NAME, CERTIFICATE, WAY, "")
    assert bool(downloads.by_host(text)) == bool(downloads.fault(text))

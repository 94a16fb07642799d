"""Certificates for etcd, made by openssl, each as NAME.pem with its NAME.key in a folder.

They have what RFC 5280 asks for: the default contexts of Python 3.13 and of urllib3 2.8 refuse anything less.
"""

import subprocess
from pathlib import Path

NEW = ("req", "-newkey", "rsa:2048", "-nodes")
DAYS = ("-days", "30")
SERVER, CLIENT = "extendedKeyUsage=serverAuth,clientAuth\n", "extendedKeyUsage=clientAuth\n"
AUTHORITY = """\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
"""
LEAF = """\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
"""


def authority(folder: Path, name: str) -> None:
    """Make a certificate that may sign others."""
    (folder / f"{name}.cnf").write_text(AUTHORITY)
    ends = ("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    _openssl(folder, *NEW, "-x509", "-config", f"{name}.cnf", "-extensions", "authority", *DAYS, *ends)


def server(folder: Path, ca: str, name: str, *addresses: str) -> None:
    """Make what a member of etcd shows, signed by `ca`."""
    names = ",".join(f"IP:{address}" for address in addresses)
    _certificate(folder, ca, name, f"subjectAltName={names}\n{SERVER}")


def client(folder: Path, ca: str, name: str) -> None:
    """Make what who asks etcd shows, signed by `ca`."""
    _certificate(folder, ca, name, CLIENT)


def _certificate(folder: Path, ca: str, name: str, extension: str) -> None:
    (folder / f"{name}.ext").write_text(LEAF + extension)
    _openssl(folder, *NEW, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    signer = ("-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", *DAYS)
    ends = ("-in", f"{name}.csr", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    _openssl(folder, "x509", "-req", *signer, *ends)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

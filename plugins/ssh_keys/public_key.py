"""SSH public keys: one line of text to checked data. No ssh-keygen is run, and nothing of a hostile line survives.

The line is "<type> <base64> [comment]" (sshd(8), AUTHORIZED_KEYS FILE FORMAT); the base64 is a sequence of strings,
each with its length in four bytes before it, the type first (RFC 4253 section 6.6, RFC 5656, RFC 8709, OpenSSH's
PROTOCOL.u2f).
"""

import re
from typing import NamedTuple

from minipaas_lib import api

SIZE_LIMIT = 16 * 1024  # bytes; a line with an RSA key of 16384 bits has about 2.8 KiB
COMMENT_LIMIT = 100  # characters that are kept
_RSA_BITS = (2048, 16384)  # fewer are unsafe, more are refused by OpenSSH

# type -> length in bytes of the fields after the type; None: any length
_CURVES = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
_APPLICATION = None
_FIELDS: dict[str, tuple] = {
    "ssh-ed25519": (32,),
    "ssh-rsa": (None, None),
    "sk-ssh-ed25519@openssh.com": (32, _APPLICATION),
    "sk-ecdsa-sha2-nistp256@openssh.com": (8, 65, _APPLICATION),
    **{f"ecdsa-sha2-{curve}": (len(curve), length) for curve, length in _CURVES.items()},
}

_EXAMPLE = "send the one line of a file such as ~/.ssh/id_ed25519.pub"
_RENEW = "make a new key with: ssh-keygen -t ed25519"


class PublicKey(NamedTuple):
    type: str
    base64: str
    comment: str  # printable, may be empty

    @property
    def line(self) -> str:
        """As it stands in a .pub file."""
        return " ".join(part for part in self if part)

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it: SHA256:..."""
        import base64
        import hashlib

        digest = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def parse(text: str) -> PublicKey:
    """The key in the text of a .pub file. Raises errors.UsageError."""
    if re.search("BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File", text):
        raise api.errors.UsageError("that is a private key, which nobody else should ever see", _EXAMPLE)
    if "BEGIN SSH2 PUBLIC KEY" in text:
        raise api.errors.UsageError("that public key is in the SSH2 format", "convert it with: ssh-keygen -i -f <file>")
    lines = [line.strip() for line in re.split("\r\n|[\r\n]", text)]
    lines = [line for line in lines if line and not line.startswith("#")]  # as sshd reads them
    if not lines:
        raise api.errors.UsageError("there is no key on stdin or in the file", _EXAMPLE)
    if len(lines) > 1:
        raise api.errors.UsageError(f"there are {len(lines)} lines, and a public key is one", _EXAMPLE)
    words = re.split("[ \t]+", lines[0], maxsplit=2)
    if not re.fullmatch("[ -~]*", " ".join(words[:2])):
        raise api.errors.UsageError("that is not an SSH public key", _EXAMPLE)
    return _checked(words[0], words[1] if len(words) > 1 else "", words[2] if len(words) > 2 else "")


def _checked(kind: str, encoded: str, comment: str) -> PublicKey:
    """The key of the three parts of a line."""
    import base64

    if kind not in _FIELDS:
        raise _unknown(kind, f"{encoded} {comment}")
    try:
        blob = base64.b64decode(encoded.encode("ascii"), validate=True)
        fields = _split(blob)
    except ValueError:
        raise api.errors.UsageError("the key is damaged or cut off", _EXAMPLE) from None
    if not fields or fields[0] != kind.encode("ascii"):
        raise api.errors.UsageError(f"the key says it is {kind}, but inside it is something else", _EXAMPLE)
    _check_fields(kind, fields[1:])
    clean = "".join(character for character in comment if character.isprintable()).strip()[:COMMENT_LIMIT].strip()
    return PublicKey(kind, base64.b64encode(blob).decode("ascii"), clean)


def _unknown(kind: str, rest: str) -> api.errors.UsageError:
    if any(word in _FIELDS for word in re.split("[ \t]+", rest)):
        return api.errors.UsageError(
            "there are options before the key; this host sets its own", "send only: <type> <key> <comment>"
        )
    if kind == "ssh-dss":
        return api.errors.UsageError("DSA keys (ssh-dss) are not safe, and sshd refuses them", _RENEW)
    if "-cert-v01@" in kind:
        return api.errors.UsageError("that is a certificate, not a key", _EXAMPLE)
    return api.errors.UsageError(
        "that is not an SSH public key of a type that is allowed here", "one of: " + " ".join(_FIELDS)
    )


def _split(blob: bytes) -> list[bytes]:
    """The strings in the blob. Raises ValueError when they do not fill it exactly."""
    fields = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            raise ValueError("cut off")
        fields.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return fields


def _check_fields(kind: str, fields: list[bytes]) -> None:
    """Raise errors.UsageError unless the fields after the type are those of a key that sshd takes."""
    expected = _FIELDS[kind]
    if len(fields) != len(expected) or any(
        want not in (None, len(field)) for field, want in zip(fields, expected, strict=True)
    ):
        raise api.errors.UsageError("the key is damaged or cut off", _EXAMPLE)
    if kind == "ssh-rsa":
        exponent, modulus = (int.from_bytes(field, "big", signed=True) for field in fields)
        bits = modulus.bit_length()
        if exponent < 3 or exponent % 2 == 0 or modulus % 2 == 0 or modulus < 0:
            raise api.errors.UsageError("the key is damaged or cut off", _EXAMPLE)
        if not _RSA_BITS[0] <= bits <= _RSA_BITS[1]:
            raise api.errors.UsageError(
                f"the RSA key has {bits} bits, and {_RSA_BITS[0]} to {_RSA_BITS[1]} are allowed", _RENEW
            )
    if "ecdsa" in kind:
        curve = kind.removeprefix("sk-").removeprefix("ecdsa-sha2-").removesuffix("@openssh.com")
        if fields[0] != curve.encode("ascii") or fields[1][0] != 4:  # 4: both coordinates follow (SEC 1, 2.3.3)
            raise api.errors.UsageError("the key is damaged or cut off", _EXAMPLE)

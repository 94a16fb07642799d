"""SSH public keys: the text of a .pub file to checked data. Nothing of a hostile line survives.

The line is "<type> <base64> [comment]" (sshd(8), AUTHORIZED_KEYS FILE FORMAT). ssh-keygen looks into the key, as sshd
will; but it reads more than we let in, such as options, several lines and DSA, so the line is taken apart before.
"""

import re
from typing import NamedTuple

from minipaas_lib import api

SIZE_LIMIT = 16 * 1024  # bytes; a line with an RSA key of 16384 bits has about 2.8 KiB
COMMENT_LIMIT = 100  # characters that are kept
_RSA_BITS = (2048, 16384)  # fewer are unsafe, more are refused by OpenSSH
_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
)

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
    """The key in the text of a .pub file, if sshd takes it. Raises errors.UsageError."""
    key = read(text)
    _check(key)
    return key


def read(text: str) -> PublicKey:
    """The key in a text that was parsed before: only its form is checked. Raises errors.UsageError."""
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
    return _read(words[0], words[1] if len(words) > 1 else "", words[2] if len(words) > 2 else "")


def _read(kind: str, encoded: str, comment: str) -> PublicKey:
    """The key of the three parts of a line."""
    import base64

    if kind not in _TYPES:
        raise _unknown(kind, f"{encoded} {comment}")
    try:
        blob = base64.b64decode(encoded.encode("ascii"), validate=True)
    except ValueError:
        raise _damaged() from None
    if not blob.startswith(_string(kind.encode("ascii"))):
        raise api.errors.UsageError(f"the key says it is {kind}, but inside it is something else", _EXAMPLE)
    clean = "".join(character for character in comment if character.isprintable()).strip()[:COMMENT_LIMIT].strip()
    return PublicKey(kind, base64.b64encode(blob).decode("ascii"), clean)


def _unknown(kind: str, rest: str) -> api.errors.UsageError:
    if any(word in _TYPES for word in re.split("[ \t]+", rest)):
        return api.errors.UsageError(
            "there are options before the key; this host sets its own", "send only: <type> <key> <comment>"
        )
    if kind == "ssh-dss":
        return api.errors.UsageError("DSA keys (ssh-dss) are not safe, and sshd refuses them", _RENEW)
    if "-cert-v01@" in kind:
        return api.errors.UsageError("that is a certificate, not a key", _EXAMPLE)
    return api.errors.UsageError(
        "that is not an SSH public key of a type that is allowed here", "one of: " + " ".join(_TYPES)
    )


def _check(key: PublicKey) -> None:
    """Raise errors.UsageError unless ssh-keygen, and so sshd, can use the key and it is safe."""
    import base64

    try:
        bits, fingerprint, *_ = api.kernel.programs.run(
            "ssh-keygen", "-l", "-f", "-", input=f"{key.type} {key.base64}"
        ).split()
    except api.kernel.programs.Failed:
        raise _damaged() from None
    if fingerprint != key.fingerprint:  # it is read in another way than it is written
        raise _damaged()
    if key.type == "ssh-rsa":
        fields = base64.b64decode(key.base64).removeprefix(_string(b"ssh-rsa"))  # the exponent, and last the modulus
        exponent = int.from_bytes(fields[4 : 4 + int.from_bytes(fields[:4], "big")], "big")
        if exponent < 3 or exponent % 2 == 0 or fields[-1] % 2 == 0:  # OpenSSH takes them
            raise _damaged()
        if not _RSA_BITS[0] <= int(bits) <= _RSA_BITS[1]:
            raise api.errors.UsageError(
                f"the RSA key has {bits} bits, and {_RSA_BITS[0]} to {_RSA_BITS[1]} are allowed", _RENEW
            )


def _string(text: bytes) -> bytes:
    """As it stands in a key: after its length (RFC 4251, section 5)."""
    return len(text).to_bytes(4, "big") + text


def _damaged() -> api.errors.UsageError:
    return api.errors.UsageError("the key is damaged or cut off", _EXAMPLE)

import base64
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.ssh_keys import public_key


def blob(*fields):
    """Strings in SSH's form."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def text(kind, *fields, comment="anna@laptop"):
    return f"{kind} {base64.b64encode(blob(kind.encode(), *fields)).decode()} {comment}".strip()


def rsa(bits, exponent=b"\x01\x00\x01"):
    return text("ssh-rsa", exponent, ((1 << (bits - 1)) | 1).to_bytes(bits // 8 + 1, "big"))


POINTS = [  # of each curve; ssh-keygen made them
    "ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHm1u1Q4nfDcIyxmoYpyRAZOvH5b2bb0SGdsosQk4ds3XNsQ"
    "EXVoAe8aVT0BvLldQAB6ZuEO3eaW5NbwRg16TWs="
    " anna@laptop",
    "ecdsa-sha2-nistp384 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBJg78Hvx1nFZIOoEd+8SzN8z2UvSA+JdQOer87BGGiC9tuAi"
    "D5RF2S4cyyZNe7+QgFNHMfoCmhy3Gzwx1toAcQ/2HNvffM40clNa3ulCLvBudOJGMHon6Qu2K8RdB6HL8Q=="
    " anna@laptop",
    "ecdsa-sha2-nistp521 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAAxOfdl/uh5EPakCkwzHccDUt8SWMNcIn8g5AgztOqYZluf"
    "c8giHVB7m7704PegCoPVHOmLc6BAWLSF9QqM7lzMhAGvAKk8ss0Yrg3dUlsV6QJgixfAdI5Hcp3Y4C1LH74cWJOGXwSSHbt3xX3p"
    "i41FtFePIs0ceX6dAEt44i0Bd63/Cg=="
    " anna@laptop",
]
POINT = base64.b64decode(POINTS[0].split(" ")[1])[-65:]
ED25519 = text("ssh-ed25519", bytes(range(32)))
GOOD = [
    ED25519,
    rsa(2048),
    rsa(16384),
    *POINTS,
    text("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
    text("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", POINT, b"ssh:"),
    ED25519 + "\r\n",
    ED25519 + "\r",
    "\n " + ED25519 + "\n\n",
    ED25519.rsplit(" ", 1)[0],
]


@pytest.mark.parametrize("line", GOOD)
def test_good_keys(line):
    key = public_key.parse(line)
    assert public_key.parse(key.line) == public_key.read(key.line) == key
    assert key.line == line.strip()


BAD = {
    "nothing": "",
    "blank": " \n",
    "words": "hello",
    "only a type": "ssh-ed25519",
    "no base64": "ssh-ed25519 *** anna",
    "two keys": ED25519 + "\n" + ED25519,
    "two keys, their lines ended by \\r alone": ED25519 + "\r" + ED25519 + "\r",
    "a command in a second line": ED25519 + '\ncommand="sh" ' + ED25519,
    "options": 'command="sh",pty ' + ED25519,
    "option with blanks": 'command="a b" ' + ED25519,
    "cut off": ED25519.split(" ")[0] + " " + ED25519.split(" ")[1][:40],
    "more at the end": text("ssh-ed25519", bytes(32), b"x"),
    "short": text("ssh-ed25519", bytes(31)),
    "another type inside": "ssh-rsa " + ED25519.split(" ")[1],
    "dsa": text("ssh-dss", b"\1", b"\1", b"\1", b"\1"),
    "certificate": "ssh-ed25519-cert-v01@openssh.com AAAA",
    "weak": rsa(1024),
    "huge": rsa(32768),
    "negative": text("ssh-rsa", b"\x03", b"\xff" * 256),
    "exponent one": rsa(2048, b"\x01"),
    "exponent zero": rsa(2048, b""),
    "even exponent": rsa(2048, b"\x02"),
    "even modulus": text("ssh-rsa", b"\3", ((1 << 2047) | 2).to_bytes(257, "big")),
    "written in another way": text("ssh-rsa", b"\0\3", ((1 << 2047) | 1).to_bytes(257, "big")),
    "no point of the curve": text("ecdsa-sha2-nistp256", b"nistp256", b"\4" + bytes(64)),
    "no application": text("sk-ssh-ed25519@openssh.com", bytes(32)),
    "options without a key": 'command="sh" ssh-ed25519',
    "a number before it": "256 " + ED25519,
    "wrong curve": text("ecdsa-sha2-nistp256", b"nistp521", POINT),
    "compressed point": text("ecdsa-sha2-nistp256", b"nistp256", b"\2" + POINT[1:33]),
    "private": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    "private rsa": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n",
    "private pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n",
    "putty": "PuTTY-User-Key-File-3: ssh-ed25519\n",
    "ssh2": "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n",
    "nul": ED25519.replace(" ", "\0", 1),
    "only a comment": "# " + ED25519,
    "escape": "\x1b[31m " + ED25519,
}


@pytest.mark.parametrize("what", BAD)
def test_bad_keys(what):
    with pytest.raises(errors.UsageError) as caught:
        public_key.parse(BAD[what])
    assert caught.value.message.isprintable() and caught.value.hint and "AAAA" not in caught.value.message


@pytest.mark.parametrize(
    "what, word", [("private", "private key"), ("options", "options"), ("dsa", "DSA"), ("weak", "1024 bits")]
)
def test_bad_keys_are_called_by_name(what, word):
    with pytest.raises(errors.UsageError, match=word):
        public_key.parse(BAD[what])


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
@example('" \r command="sh" ')
@example("\x85 x \u2028 y")
def test_a_comment_cannot_make_a_line(comment):
    try:
        key = public_key.parse(f"{ED25519} {comment}")
    except errors.UsageError:
        assert "\n" in comment or "\r" in comment
        return
    assert len(key.line.splitlines()) == 1 and key.line.isprintable()
    assert key.base64 == ED25519.split(" ")[1] and len(key.comment) <= public_key.COMMENT_LIMIT


@settings(max_examples=30, deadline=None)  # each runs ssh-keygen
@given(
    st.sampled_from(sorted({line.split(" ")[0] for line in GOOD[:8]})),
    st.binary(max_size=200) | st.lists(st.binary(max_size=40)).map(lambda f: blob(*f)),
)
def test_any_bytes(kind, data):
    line = f"{kind} {base64.b64encode(blob(kind.encode()) + data).decode()}"
    try:
        key = public_key.parse(line)
    except errors.UsageError as error:
        assert error.message.isprintable()
    else:
        assert key.line.startswith(line) and public_key.parse(key.line) == key


@given(st.text())
def test_any_text(line):
    with pytest.raises(errors.UsageError):
        public_key.parse(line)


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
@pytest.mark.parametrize(
    "kind, bits", [("ed25519", 256), ("rsa", 2048), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521)]
)
def test_what_ssh_keygen_makes(tmp_path, kind, bits):
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", str(bits), "-N", "", "-C", "a b", "-f", file], check=True)
    key = public_key.parse((tmp_path / "key.pub").read_text())
    told = subprocess.run(["ssh-keygen", "-l", "-f", f"{file}.pub"], check=True, capture_output=True, text=True).stdout
    assert key.fingerprint == told.split(" ")[1] and key.comment == "a b"
    with pytest.raises(errors.UsageError, match="private"):
        public_key.parse(file.read_text())


@pytest.mark.parametrize("blank", ["\t", "   ", " \t "])
@pytest.mark.parametrize("around", ["{}", "# mine\r\n\r\n{}\r\n", "\n  {}  \n# the end\n"])
def test_what_editors_make_of_a_key_file(blank, around):
    kind, encoded, *_ = ED25519.split(" ")
    key = public_key.parse(around.format(blank.join([kind, encoded, "anna at home"])))
    assert key == (kind, encoded, "anna at home")

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.domains import names

GENERAL = "give a name such as: blog.example.org"


def refusal(text):
    with pytest.raises(errors.UsageError) as caught:
        names.domain(text)
    assert caught.value.message.isprintable() and caught.value.hint.isprintable() and caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "text, name, shown",
    [
        ("example.org", "example.org", "example.org"),
        ("Blog.Example.ORG.", "blog.example.org", "blog.example.org"),
        ("*.example.org", "*.example.org", "*.example.org"),
        ("nas", "nas", "nas"),
        ("blog.1.2.3.4.sslip.io", "blog.1.2.3.4.sslip.io", "blog.1.2.3.4.sslip.io"),
        ("münchen.de", "xn--mnchen-3ya.de", "münchen.de"),
        ("MÜNCHEN.de.", "xn--mnchen-3ya.de", "münchen.de"),
        ("straße.de", "xn--strae-oqa.de", "straße.de"),
        ("*.bücher.example", "*.xn--bcher-kva.example", "*.bücher.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah", "例え.テスト"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de", "münchen.de"),
        ("xn--zzzzzzzz99999.de", "xn--zzzzzzzz99999.de", "xn--zzzzzzzz99999.de"),
        ("a" * 63 + ".de", "a" * 63 + ".de", "a" * 63 + ".de"),
    ],
)
def test_accepted(text, name, shown):
    assert names.domain(text) == name
    assert names.display(name) == shown


@pytest.mark.parametrize(
    "text, message, hint",
    [
        ("", "the domain is empty", GENERAL),
        ("a b.org", 'the domain "a b.org" contains a space', GENERAL),
        ("a.org\n", 'the domain "a.org\\n" contains a space', GENERAL),
        ("a;b.org", 'the domain "a;b.org" has ";" in it', "use letters, digits, - and dots"),
        ("a{b", 'the domain "a{b" has "{" in it', "use letters, digits, - and dots"),
        ("a}", 'the domain "a}" has "}" in it', "use letters, digits, - and dots"),
        ("a_b.org", 'the domain "a_b.org" has "_" in it', "use letters, digits, - and dots"),
        ("a\0.org", 'the domain "a\\x00.org" has "\\x00" in it', "use letters, digits, - and dots"),
        ("https://x.org/a?b", '"https://x.org/a?b" is a URL, not a domain', "give only the name: x.org"),
        ("https://u:p@X.org:8/", '"https://u:p@X.org:8/" is a URL, not a domain', "give only the name: x.org"),
        ("http://", '"http://" is a URL, not a domain', GENERAL),
        ("http://[::1]/", '"http://[::1]/" is a URL, not a domain', GENERAL),
        ("x.org:80", '"x.org:80" has a port; domains are given without one', "give only the name: x.org"),
        ("x.org/a", '"x.org/a" has a path; domains are given without one', "give only the name: x.org"),
        ("a..org", 'the domain "a..org" has an empty part between dots', GENERAL),
        (".", 'the domain "." has an empty part between dots', GENERAL),
        ("*.", 'the domain "*." is not', ""),
        ("-a.org", 'the part "-a" of the domain "-a.org" must have a letter or digit first and last', GENERAL),
        ("a-.org", 'the part "a-" of the domain "a-.org" must have a letter or digit first and last', GENERAL),
        (
            "a" * 64 + ".org",
            f'the domain "{"a" * 64}.org" has a part of 64 characters; the limit is 63',
            GENERAL,
        ),
        ("ü\u202e.de", '"ü\\u202e.de" is not a valid international domain', GENERAL),
        ("ü;.de", 'the domain "ü;.de" has ";" in it', "use letters, digits, - and dots"),
    ],
)
def test_refused(text, message, hint):
    if text == "*.":
        assert "* can only stand alone" in refusal(text).message
        return
    error = refusal(text)
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize(
    "text", ["1.2.3.4", "::1", "[::1]", "[::1]:80", "fe80::1%eth0", "1.2.3", "127.1.", "１.２.３.４"]
)
def test_addresses(text):
    assert refusal(text).message.endswith("is an address, not a domain")


@pytest.mark.parametrize("text", ["*", "a.*.org", "*a.org", "a*.org", "**.org", "*.*.org", "ü.*.org"])
def test_wildcards_only_as_the_first_part(text):
    refusal(text)


def test_whole_length():
    longest = ".".join(["a" * 49] * 5) + ".de"
    assert names.domain(longest) == longest
    assert "has 260 characters; the limit is 253" in refusal("abcdefgh" + longest).message
    refusal("ü" * 100_000)


@given(
    st.text(max_size=80)
    | st.text("aB1-.*üßあ。", max_size=80)
    | st.from_regex(r"(\*\.)?(xn--)?[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){0,3}\.?", fullmatch=True)
)
def test_what_is_accepted_is_safe_and_settled(text):
    try:
        name = names.domain(text)
    except errors.UsageError as error:
        assert error.message.isprintable() and error.hint.isprintable() and error.hint
    else:
        assert re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*", name) and len(name) <= 253
        assert names.domain(name) == name
        assert names.domain(names.display(name)) == name

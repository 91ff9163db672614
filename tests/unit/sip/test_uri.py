"""SIP, SIPS and TEL URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.sip.uri import (
    MAX_URI_CHARACTERS,
    BadUri,
    SipUri,
    TelUri,
    Uri,
    parse_uri,
    phone_number,
    scheme_of,
    unescape,
)


def read(text: str) -> Uri:
    uri = parse_uri(text)
    assert not isinstance(uri, BadUri), uri.why
    return uri


def read_sip(text: str) -> SipUri:
    uri = read(text)
    assert isinstance(uri, SipUri)
    return uri


# Reading


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:example.com", SipUri("example.com")),
        ("sip:alice@example.com", SipUri("example.com", "alice")),
        ("SIPS:alice:secret@example.com:5061", SipUri("example.com", "alice", 5061, "sips", "secret")),
        ("sip:alice:@example.com", SipUri("example.com", "alice", password="")),
        ("sip:alice@[2001:db8::1]:5070", SipUri("2001:db8::1", "alice", 5070)),
        ("sip:[::1]", SipUri("::1")),
        ("sip:a@b;lr;transport=tcp", SipUri("b", "a", params=(("lr", None), ("transport", "tcp")))),
        ("sip:b?Subject=x&Priority=", SipUri("b", headers=(("Subject", "x"), ("Priority", "")))),
        ("sip:user;par=u%40h@b;lr", SipUri("b", "user;par=u%40h", params=(("lr", None),))),
        ("sip:a?b/c@d", SipUri("d", "a?b/c")),
        ("sip:my_container:5060", SipUri("my_container", port=5060)),
        ("tel:+1-425-555-0123", TelUri("+1-425-555-0123")),
        ("tel:7042;phone-context=example.com", TelUri("7042", (("phone-context", "example.com"),))),
        ("TEL:*97#", TelUri("*97#")),
    ],
)
def test_parse_uri(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri


@pytest.mark.parametrize(
    "text",
    [
        "sip:example.com",
        "sips:alice:secret@Example.com:5061;transport=tcp;lr?Subject=next%20meeting&To=sip:a",
        "sip:a%20b@[2001:db8::1]:5060",
        "sip:alice:@b",
        "tel:+1-425-555-0123;ext=5;lr",
    ],
)
def test_a_uri_is_written_as_it_was(text: str) -> None:
    assert str(read(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no scheme"),
        ("alice@example.com", "no scheme"),
        ("<sip:a@b>", "no scheme"),
        ("1sip:a@b", "no scheme"),
        ("http://example.com", "scheme 'http' is none of"),
        ("sip:", "host or port ''"),
        ("sip:a@", "host or port ''"),
        ("sip:@b", "user part ''"),
        ("sip::secret@b", "user part ''"),
        ("sip:a b@c", "user part 'a b'"),
        ("sip:a%2@c", "user part 'a%2'"),
        ("sip:a@b@c", "user part 'a@b'"),
        ("sip:é@b", "user part 'é'"),
        ("sip:a:b:c@d", "password"),
        ("sip:a:b c@d", "password"),
        ("sip:a@b c", "host or port 'b c'"),
        ("sip:a@b:", "host or port 'b:'"),
        ("sip:a@b:65536", "host or port 'b:65536'"),
        ("sip:a@b:²", "host or port 'b:²'"),
        ("sip:[::1", "host or port '[::1'"),
        ("sip:[::1]5060", "host or port '[::1]5060'"),
        ("sip:[:::1]", "host or port '[:::1]'"),
        ("sip:a@b;", "parameters ''"),
        ("sip:a@b;;lr", "parameters ';lr'"),
        ("sip:a@b; lr", "parameters ' lr'"),
        ("sip:a@b;lr=", "parameters 'lr='"),
        ("sip:a@b;lr;LR", "parameters 'lr;LR'"),
        ("sip:a@b;lr;%6Cr", "parameters 'lr;%6Cr'"),
        ("sip:a@b?", "headers ''"),
        ("sip:a@b?x", "headers 'x'"),
        ("sip:a@b?=x", "headers '=x'"),
        ("sip:a@b?x=y z", "headers 'x=y z'"),
        ("tel:", "number ''"),
        ("tel:+", "number '+'"),
        ("tel:+1425x", "number '+1425x'"),
        ("tel:+1425;;", "parameters ';'"),
        ("sip:" + "a" * MAX_URI_CHARACTERS, "longer than 4096"),
    ],
)
def test_what_is_wrong_is_named(text: str, why: str) -> None:
    bad = parse_uri(text)
    assert isinstance(bad, BadUri)
    assert why in bad.why
    assert bad.text == text[:MAX_URI_CHARACTERS]


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("sip:a", "sip"),
        ("SiPs:a", "sips"),
        ("soap.beep://x", "soap.beep"),
        ("sip", ""),
        (":x", ""),
        ("a b:c", ""),
    ],
)
def test_scheme_of(text: str, scheme: str) -> None:
    assert scheme_of(text) == scheme


def test_parameters_by_name() -> None:
    uri = read_sip("sip:a@b;%6C%72;Transport=T%43P;n%61me=v%25")
    assert uri.has_param("LR")
    assert uri.param("lr") == ""
    assert uri.param("lr", "none") == "none"
    assert uri.param("transport") == "TCP"
    assert uri.param("name") == "v%"
    assert not uri.has_param("user")
    assert uri.param("user", "ip") == "ip"
    tel = read("tel:7042;Ext=5")
    assert isinstance(tel, TelUri)
    assert (tel.param("ext"), tel.param("isub", "-")) == ("5", "-")


def test_what_escapes_mean() -> None:
    assert read_sip("sip:I%20have%20spaces@b").user_text == "I have spaces"
    assert read_sip("sip:null-%00@b").user_text == "null-\0"
    assert unescape("%D0%B4%FF") == "д\udcff"
    assert unescape("100%") == "100%"
    assert unescape("%zz\udcff") == "%zz\udcff"


# Comparing: the examples of RFC 3261 section 19.1.4, and each rule alone


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("SIP:a@b", "sip:a@B"),
        ("sip:a%3bb@c", "sip:a%3Bb@c"),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::0:1]"),
        ("sip:a:p%61ss@b", "sip:a:pass@b"),
        ("tel:+1-425-555-0123", "tel:+1(425)555.0123"),
        ("tel:7042;phone-context=a.com;ext=5", "TEL:7042;Ext=5;phone-context=A.com"),
        ("tel:7af", "tel:7AF"),
    ],
)
def test_uris_that_match(one: str, other: str) -> None:
    assert read(one).matches(read(other))
    assert read(other).matches(read(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b", "sip:b"),
        ("sip:a@b", "sip:a:@b"),
        ("sip:a:x@b", "sip:a:X@b"),
        ("sip:a;b@c", "sip:a%3Bb@c"),
        ("sip:a@b;user=phone", "sip:a@b"),
        ("sip:a@b;ttl=1", "sip:a@b"),
        ("sip:a@b;method=INVITE", "sip:a@b"),
        ("sip:a@b;maddr=1", "sip:a@b"),
        ("sip:a@b;x=1", "sip:a@b;x=2"),
        ("sip:a@b;x=1", "sip:a@b;x"),
        ("sip:a@b?x=1", "sip:a@b?x=2"),
        ("sip:+14255550123@b", "tel:+14255550123"),
        ("tel:+14255550123", "sip:+14255550123@b"),
        ("tel:+14255550123", "tel:14255550123"),
        ("tel:7042;ext=5", "tel:7042"),
    ],
)
def test_uris_that_do_not_match(one: str, other: str) -> None:
    assert not read(one).matches(read(other))
    assert not read(other).matches(read(one))


# Building


def test_building_a_uri() -> None:
    uri = SipUri("sbc.example.com").with_user("+14255550123").with_param("user", "phone").with_param("lr")
    assert str(uri) == "sip:+14255550123@sbc.example.com;user=phone;lr"
    assert str(uri.with_host("2001:db8::1", 5061)) == "sip:+14255550123@[2001:db8::1]:5061;user=phone;lr"
    assert str(uri.without_param("USER").with_user("")) == "sip:sbc.example.com;lr"
    assert uri == SipUri("sbc.example.com", "+14255550123", params=(("user", "phone"), ("lr", None)))


def test_a_parameter_is_set_once() -> None:
    uri = read_sip("sip:a@b;Transport=tcp;lr")
    assert str(uri.with_param("transport", "udp")) == "sip:a@b;lr;transport=udp"
    assert str(uri.with_param("LR", "")) == "sip:a@b;Transport=tcp;LR"


def test_what_must_be_escaped_is() -> None:
    uri = SipUri("b").with_user("I have @:%#д").with_param("x", "a;b=c")
    assert str(uri) == "sip:I%20have%20%40%3A%25%23%D0%B4@b;x=a%3Bb%3Dc"
    assert read_sip(str(uri)).user_text == "I have @:%#д"
    assert read_sip(str(uri)).param("x") == "a;b=c"


def test_taking_the_user_out_takes_the_password_too() -> None:
    assert str(read_sip("sip:a:secret@b").with_user("")) == "sip:b"
    assert str(read_sip("sip:a:secret@b").with_user("c")) == "sip:c:secret@b"


def test_a_request_uri_has_no_headers() -> None:
    assert str(read_sip("sip:a@b;lr?Route=x").without_headers()) == "sip:a@b;lr"


# Numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("sip:+14255550123@host;user=phone", "+14255550123"),
        ("sip:+14255550123@host", "+14255550123"),
        ("sips:%2B14255550123@host", "+14255550123"),
        ("sip:+1-425-555-0123;ext=5@host;user=phone", "+14255550123"),
        ("tel:+1(425)555.0123;ext=5", "+14255550123"),
        ("tel:911;phone-context=+1", "911"),
        ("sip:*97@host", "*97"),
        ("sip:14255550123@host", "14255550123"),
        ("sip:alice@host", ""),
        ("sip:+1425x@host", ""),
        ("sip:+@host", ""),
        ("sip:host", ""),
        ("sip:١٢٣@host", ""),
        ("sip:%D9%A1@host", ""),
        ("nonsense", ""),
        ("tel:7af", ""),
    ],
)
def test_phone_number(text: str, number: str) -> None:
    assert phone_number(text) == number


def test_the_number_of_a_uri_already_read() -> None:
    assert phone_number(read("tel:+1-425-555-0123")) == "+14255550123"
    assert TelUri("+1").is_global
    assert not TelUri("911").is_global


# Chance


@given(st.text(max_size=60) | st.text("sip:tel+1@[]%;=?&. a", max_size=40).map("sip:".__add__))
def test_any_text(text: str) -> None:
    uri = parse_uri(text)
    assert isinstance(phone_number(text), str)
    if isinstance(uri, BadUri):
        assert uri.why
    else:
        assert parse_uri(str(uri)) == uri
        assert uri.matches(uri)


def build(user: str, host: str, port: int | None, params: dict[str, str | None]) -> SipUri:
    return SipUri(host, port=port, params=tuple(params.items())).with_user(user)


sip_uris = st.builds(
    build,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["example.com", "192.0.2.1", "2001:db8::1"]),
    st.none() | st.integers(0, 65_535),
    st.dictionaries(st.text("abcdefgh-", min_size=1), st.none() | st.text("abc123-", min_size=1)),
)


@given(sip_uris)
def test_any_uri_is_read_as_it_was_built(uri: SipUri) -> None:
    assert parse_uri(str(uri)) == uri


@given(sip_uris, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_user_is_meant_as_it_was_given(uri: SipUri, user: str) -> None:
    assert read_sip(str(uri.with_user(user))).user_text == user

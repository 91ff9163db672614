"""Header lines and the values read from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.sip.headers import (
    COMPACT,
    CSeq,
    Headers,
    NameAddr,
    Via,
    closing_quote,
    is_token,
    key_of,
    parse_cseq,
    parse_length,
    parse_name_addr,
    parse_number,
    parse_params,
    parse_top_via,
    parse_via,
    quote,
    spelled,
    split_host_port,
    split_list,
    unquote,
)

# Headers


def test_names_in_any_case_and_in_compact_form_are_one_header() -> None:
    headers = Headers.of(("v", "one"), ("VIA", "two"), ("Via", "three"))
    assert headers.all("via") == headers.all("V") == headers.all("vIa") == ["one", "two", "three"]
    assert headers.items() == [("via", "one"), ("via", "two"), ("via", "three")]
    assert "v" in headers


@pytest.mark.parametrize(("short", "name"), COMPACT.items())
def test_every_compact_name(short: str, name: str) -> None:
    assert key_of(short) == key_of(short.upper()) == key_of(name) == key_of(spelled(name)) == name


def test_names_nobody_knows_keep_their_own_key() -> None:
    headers = Headers.of(("X-Ms-Whatever", "1"))
    assert headers.get("x-mS-whatever") == "1"
    assert spelled("x-ms-whatever") == "X-Ms-Whatever"
    assert spelled("cseq") == "CSeq"
    assert spelled("www-authenticate") == "WWW-Authenticate"


def test_absent_headers() -> None:
    headers = Headers()
    assert headers.get("to") == ""
    assert headers.get("to", "none") == "none"
    assert headers.all("to") == []
    assert headers.values("to") == []
    assert headers.count("to") == 0
    assert "to" not in headers
    headers.remove("to")


def test_set_replaces_add_appends_remove_removes() -> None:
    headers = Headers.of(("Route", "<sip:a>"), ("Route", "<sip:b>, <sip:c>"))
    assert headers.count("route") == 2
    assert headers.values("route") == ["<sip:a>", "<sip:b>", "<sip:c>"]
    headers.set("ROUTE", "<sip:d>")
    assert headers.all("route") == ["<sip:d>"]
    headers.add("route", "<sip:e>")
    assert headers.all("route") == ["<sip:d>", "<sip:e>"]
    headers.remove("Route")
    assert "route" not in headers


def test_what_all_gives_is_the_callers_own() -> None:
    headers = Headers.of(("via", "a"))
    headers.all("via").append("b")
    assert headers.all("via") == ["a"]


def test_a_copy_changes_alone() -> None:
    headers = Headers.of(("via", "a"))
    copied = headers.copy()
    copied.add("via", "b")
    assert headers.all("via") == ["a"]
    assert copied.all("via") == ["a", "b"]


def test_equality() -> None:
    one, other = Headers.of(("to", "x"), ("from", "y")), Headers.of(("f", "y"), ("t", "x"))
    assert one == other
    other.set("content-length", "3")
    assert one != other
    assert one.equal_without("content-length", other)
    assert not one.equal_without("to", other)
    assert one != {"to": ["x"]}


def test_headers_can_change_so_they_have_no_hash() -> None:
    with pytest.raises(TypeError, match="can change"):
        hash(Headers())


def test_repr_shows_the_lines() -> None:
    assert repr(Headers.of(("To", "x"))) == "Headers({'to': ['x']})"


def test_take_copies_lines_and_leaves_the_source() -> None:
    source, target = Headers.of(("via", "a"), ("via", "b")), Headers()
    target.take("via", source)
    target.take("route", source)
    target.add("via", "c")
    assert source.all("via") == ["a", "b"]
    assert target.items() == [("via", "a"), ("via", "b"), ("via", "c")]


def test_write_spells_names_and_leaves_one_out() -> None:
    lines = ["start"]
    Headers.of(("i", "1"), ("l", "0"), ("x-y", "z")).write(lines, leave_out="content-length")
    assert lines == ["start", "Call-ID: 1", "X-Y: z"]


def test_typed_values_are_read_once() -> None:
    reads: list[str] = []

    def read(text: str) -> str:
        reads.append(text)
        return text.upper()

    headers = Headers.of(("to", "x"))
    assert headers.typed("to", read) == headers.typed("to", read) == "X"
    assert headers.typed("from", read) is None
    assert reads == ["x"]


def test_typed_values_are_read_again_when_their_header_changed() -> None:
    headers = Headers.of(("cseq", "1 INVITE"))
    other = Headers.of(("cseq", "5 BYE"))
    assert headers.typed("cseq", parse_cseq) == CSeq(1, "INVITE")
    headers.set("CSeq", "2 INVITE")
    assert headers.typed("cseq", parse_cseq) == CSeq(2, "INVITE")
    headers.remove("cseq")
    assert headers.typed("cseq", parse_cseq) is None
    headers.add("cseq", "3 ACK")
    assert headers.typed("cseq", parse_cseq) == CSeq(3, "ACK")
    headers.take("cseq", other)
    assert headers.typed("cseq", parse_cseq) == CSeq(5, "BYE")
    headers.add("cseq", "6 BYE")
    assert headers.typed("cseq", parse_cseq) == CSeq(5, "BYE")


# Lists and parameters


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("", []),
        ("  ", []),
        (",,", []),
        ("a", ["a"]),
        (" a , b,c ", ["a", "b", "c"]),
        ('"x, y" <sip:a,b@c>;p, <sip:d>', ['"x, y" <sip:a,b@c>;p', "<sip:d>"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        ("<sip:a>>, b", ["<sip:a>>", "b"]),
        ('"never closed, a', ['"never closed, a']),
        ("<never, closed", ["<never, closed"]),
    ],
)
def test_split_list(line: str, values: list[str]) -> None:
    assert split_list(line) == values


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("", {}),
        (";;", {}),
        (";a=b;c", {"a": "b", "c": None}),
        (" ; A = b ; C ", {"a": "b", "c": None}),
        (';text="a;b=c";d', {"text": "a;b=c", "d": None}),
        (r';text="say \"hi\" \\"', {"text": 'say "hi" \\'}),
        (';text="', {"text": '"'}),
        (';text="a"b', {"text": '"a"b'}),
        (";empty=", {"empty": ""}),
        (";a=b=c", {"a": "b=c"}),
    ],
)
def test_parse_params(text: str, params: dict[str, str | None]) -> None:
    assert parse_params(text) == params


# Numbers


@pytest.mark.parametrize(
    ("text", "largest", "number"),
    [
        ("0", 9, 0),
        ("0068", 255, 68),
        ("255", 255, 255),
        ("256", 255, None),
        ("", 9, None),
        ("-1", 9, None),
        ("+1", 9, None),
        (" 1", 9, None),
        ("1.0", 9, None),
        ("²", 9, None),
        ("٣", 9, None),
        ("0" * 50_000 + "7", 9, 7),
        ("9" * 50_000, 2**31, None),
        ("0" * 11, 9, 0),
    ],
)
def test_parse_number(text: str, largest: int, number: int | None) -> None:
    assert parse_number(text, largest) == number


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        (["5"], 5),
        (["5", "5"], 5),
        (["5", "05"], 5),
        (["5", "6"], None),
        (["5", "x"], None),
        (["5, 5"], None),
        ([""], None),
        ([], None),
    ],
)
def test_parse_length(lines: list[str], size: int | None) -> None:
    assert parse_length(lines) == size


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("host", ("host", None)),
        ("host:5060", ("host", 5060)),
        ("host : 5060", ("host", 5060)),
        ("[2001:db8::1]", ("2001:db8::1", None)),
        ("[2001:db8::1]:5061", ("2001:db8::1", 5061)),
        ("host:0", ("host", 0)),
        ("host:65535", ("host", 65_535)),
        ("host:65536", None),
        ("host:", None),
        ("host:x", None),
        ("host:²", None),
        ("[2001:db8::1", None),
        ("[::1]5060", None),
        ("", ("", None)),
    ],
)
def test_split_host_port(text: str, where: tuple[str, int | None] | None) -> None:
    assert split_host_port(text) == where


# Via, CSeq


@pytest.mark.parametrize(
    ("value", "via"),
    [
        ("SIP/2.0/UDP host", Via("UDP", "host", None)),
        ("SIP/2.0/tcp host:5061;branch=z9hG4bKx", Via("TCP", "host", 5061, {"branch": "z9hG4bKx"})),
        (
            "SIP / 2.0 / UDP first.example.com: 4000;ttl=16",
            Via("UDP", "first.example.com", 4000, {"ttl": "16"}),
        ),
        ("SIP/2.0/UDP\t[::1]:5060;rport", Via("UDP", "::1", 5060, {"rport": None})),
        ("SIP/7.0/UDP host", Via("UDP", "host", None)),
        ("SIP/2.0/UDP", None),
        ("SIP/2.0 host", None),
        ("/2.0/UDP host", None),
        ("SIP//UDP host", None),
        ("SIP/2.0/UDP host:port", None),
        ("SIP/2.0/UDP a b", None),
        ("SIP/2.0/UDP :5060", None),
        ("", None),
        (";branch=x", None),
    ],
)
def test_parse_via(value: str, via: Via | None) -> None:
    assert parse_via(value) == via


def test_the_top_via_of_a_line_with_several() -> None:
    assert parse_top_via("SIP/2.0/UDP a;branch=1, SIP/2.0/TCP b;branch=2") == Via(
        "UDP", "a", None, {"branch": "1"}
    )
    assert parse_top_via("SIP/2.0/UDP a") == Via("UDP", "a", None)
    assert parse_top_via(",,") is None


def test_a_via_without_branch() -> None:
    assert Via("UDP", "a", None).branch == ""
    assert Via("UDP", "a", None, {"branch": None}).branch == ""


@pytest.mark.parametrize(
    ("value", "cseq"),
    [
        ("1 INVITE", CSeq(1, "INVITE")),
        ("0009   INVITE", CSeq(9, "INVITE")),
        ("\t0\tBYE ", CSeq(0, "BYE")),
        ("2147483647 ACK", CSeq(2**31 - 1, "ACK")),
        ("2147483648 ACK", None),
        ("36893488147419103232 REGISTER", None),
        ("-1 ACK", None),
        ("1", None),
        ("INVITE", None),
        ("1 INVITE now", None),
        ("1 INV/TE", None),
        ("² INVITE", None),
        ("", None),
    ],
)
def test_parse_cseq(value: str, cseq: CSeq | None) -> None:
    assert parse_cseq(value) == cseq


# From, To, Contact


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("<sip:a@b>", NameAddr("", "sip:a@b")),
        ("sip:a@b", NameAddr("", "sip:a@b")),
        ("sip:a@b;tag=1", NameAddr("", "sip:a@b", {"tag": "1"})),
        ("sip:a@b ;  tag  = 1", NameAddr("", "sip:a@b", {"tag": "1"})),
        ("<sip:a@b;lr>;tag=1", NameAddr("", "sip:a@b;lr", {"tag": "1"})),
        ("< sip:a@b > ; tag=1", NameAddr("", "sip:a@b", {"tag": "1"})),
        ("Bob <sip:a@b>", NameAddr("Bob", "sip:a@b")),
        ("Bob<sip:a@b>", NameAddr("Bob", "sip:a@b")),
        ("Bell, Alexander <sip:a@b>", NameAddr("Bell, Alexander", "sip:a@b")),
        ('"Bob <b@c>" <sip:a@b>', NameAddr("Bob <b@c>", "sip:a@b")),
        (r'"say \"hi\" \\"<sip:a@b>', NameAddr('say "hi" \\', "sip:a@b")),
        ('""<sip:a@b>', NameAddr("", "sip:a@b")),
        ("*", NameAddr("", "*")),
        ("*;expires=0", NameAddr("", "*", {"expires": "0"})),
        ("", None),
        ("Bob", None),
        ("<>", None),
        ("< >;tag=1", None),
        ("<sip:a@b", None),
        ('"Bob <sip:a@b>', None),
        ('"Bob" sip:a@b', None),
        ('"Bob"', None),
        ("<sip:a@b>tag=1", None),
        ("<sip:a@b>, <sip:c@d>", None),
        ("Bob sip:a@b", None),
    ],
)
def test_parse_name_addr(value: str, meant: NameAddr | None) -> None:
    assert parse_name_addr(value) == meant


def test_tags() -> None:
    assert NameAddr("", "sip:a", {"tag": "x"}).tag == "x"
    assert NameAddr("", "sip:a", {"tag": None}).tag == ""
    assert NameAddr("", "sip:a").tag == ""


@given(
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])).map(str.strip),
    st.dictionaries(
        st.text("abcdefgh-", min_size=1),
        st.none() | st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])),
    ),
)
def test_a_written_name_addr_reads_as_it_was(name: str, params: dict[str, str | None]) -> None:
    written = NameAddr(name, "sip:a@b", params)
    assert parse_name_addr(str(written)) == written


def test_values_that_are_hosts_or_tokens_are_written_without_quotes() -> None:
    value = NameAddr(
        "", "sip:a", {"tag": "x", "received": "[::1]:5060", "text": "a b", "lr": None, "empty": ""}
    )
    assert str(value) == '<sip:a>;tag=x;received=[::1]:5060;text="a b";lr;empty=""'


# Quoting and tokens


@pytest.mark.parametrize(
    ("text", "end"),
    [('"a"', 2), ('"a\\""', 4), ('"a\\\\"', 4), ('"a\\\\\\""x', 6), ('"a', -1), ('"', -1), ('"\\"', -1)],
)
def test_closing_quote(text: str, end: int) -> None:
    assert closing_quote(text) == end


@given(st.text())
def test_unquote_undoes_quote(text: str) -> None:
    quoted = quote(text)
    assert closing_quote(quoted) == len(quoted) - 1
    assert unquote(quoted) == text


@pytest.mark.parametrize(
    ("text", "expected"), [("INVITE", True), ("a'`~%", True), ("", False), ("a b", False), ("é", False)]
)
def test_is_token(text: str, *, expected: bool) -> None:
    assert is_token(text) is expected


# Nothing raises


@given(st.text() | st.text('<>;,"\\=:[]/ ab1'))
def test_readers_never_raise(text: str) -> None:
    for read in (
        parse_via,
        parse_top_via,
        parse_cseq,
        parse_name_addr,
        parse_params,
        split_list,
        split_host_port,
    ):
        read(text)
    parse_number(text, 10)
    parse_length([text, text])
    Headers.of((text, text)).values(text)

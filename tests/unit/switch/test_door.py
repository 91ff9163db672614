"""The door: trunks by address and by credentials, strangers, floods, and who calls whom."""

import pytest

from onhook.calls.directory import Directory, Trunk
from onhook.effects import Destination, Transmit
from onhook.sip.digest import Authenticator, Credentials
from onhook.sip.messages import Headers, Request, Response, parse
from onhook.switch.door import (
    MAX_NONCES,
    MAX_REFUSALS_A_SECOND,
    MAX_REPORTS,
    NONCE_SECONDS,
    Door,
    calling,
    dialled,
    owner_of,
)
from stages import OTHER, OWN

KNOWN = Destination("udp", "192.0.2.2", 5060)
STRANGER = Destination("udp", "198.51.100.9", 5060)
PLAIN = Directory((OWN, OTHER), {"carrier": Trunk("carrier", "192.0.2.2")})
LOGIN = Trunk("roaming", "sbc.example", username="roaming", password="secret")
WITH_LOGIN = Directory((OWN,), {"carrier": Trunk("carrier", "192.0.2.2"), "roaming": LOGIN})


class Tags:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> str:
        self.made += 1
        return f"{self.made:032x}"


def invite(
    *extra: tuple[str, str], uri: str = "sip:+14255550100@192.0.2.1", method: str = "INVITE"
) -> Request:
    return Request(
        method,
        uri,
        Headers.of(
            ("via", "SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bK-1"),
            ("max-forwards", "70"),
            ("from", '"Ann" <sip:+14255550200@192.0.2.2>;tag=1'),
            ("to", "<sip:+14255550100@192.0.2.1>"),
            ("call-id", "one"),
            ("cseq", "1 INVITE"),
            ("contact", "<sip:198.51.100.9>"),
            *extra,
        ),
    )


def refusal(door: Door, asked: Request, directory: Directory = PLAIN, *, now: float = 0.0) -> Response:
    found = door.trunk_of(asked, STRANGER, directory, now)
    assert isinstance(found, Transmit)
    message = parse(found.data)
    assert isinstance(message, Response)
    return message


def test_a_trunk_is_known_by_its_address() -> None:
    door = Door(Tags())
    assert door.trunk_of(invite(), KNOWN, PLAIN, 0.0) is PLAIN.trunks["carrier"]
    assert not door.reports


def test_a_trunk_with_a_name_is_known_by_the_address_of_that_name() -> None:
    named = Trunk("sbc", "sbc.example.com")
    directory = Directory((OWN,), {"sbc": named})
    addresses: dict[str, str] = {}
    door = Door(Tags(), lambda address, domain: addresses.get(domain.host) == address)
    assert refusal(door, invite(), directory).status == 403  # the name was not looked up yet
    addresses["sbc.example.com"] = STRANGER.host
    assert door.trunk_of(invite(), STRANGER, directory, 1.0) is named


def test_a_trunk_is_known_by_the_name_in_its_certificate_from_anywhere() -> None:
    named = Trunk("sbc", "10.0.0.1", transport="tls", tls_name="sbc.example.com")
    directory = Directory((OWN,), {"plain": Trunk("plain", "10.0.0.2"), "sbc": named})
    asked: list[str] = []

    def certified(_source: Destination, name: str) -> bool | None:
        asked.append(name)
        return True if name == "sbc.example.com" else None

    door = Door(Tags(), certified=certified)
    assert door.trunk_of(invite(), STRANGER, directory, 0.0) is named
    assert asked == ["10.0.0.2", "sbc.example.com"]


def test_where_certificates_are_required_an_address_is_not_enough() -> None:
    directory = Directory((OWN,), {"sbc": Trunk("sbc", STRANGER.host, transport="tls")})
    source = STRANGER._replace(transport="tls")
    strict = Door(Tags(), certified=lambda _source, _name: False)
    found = strict.trunk_of(invite(), source, directory, 0.0)
    assert isinstance(found, Transmit)
    assert found.data.startswith(b"SIP/2.0 403 ")
    assert strict.reports[0].detail.endswith("; nor is the name in its certificate")
    lax = Door(Tags(), certified=lambda _source, _name: None)
    assert lax.trunk_of(invite(), source, directory, 0.0) is directory.trunks["sbc"]


def test_a_stranger_gets_403_and_a_report() -> None:
    door = Door(Tags())
    assert refusal(door, invite(), now=7.0).status == 403
    (report,) = door.reports
    assert (report.why, report.status, report.at) == ("stranger", 403, 7.0)
    assert report.number == "+14255550100"
    assert "198.51.100.9:5060 is the address of no trunk" in report.detail


def test_without_any_trunk_everybody_is_a_stranger() -> None:
    assert refusal(Door(Tags()), invite(), Directory((OWN,))).status == 403


def test_a_request_that_is_wrong_is_told_so_first() -> None:
    door = Door(Tags())
    found = refusal(door, invite(("require", "100rel")))
    assert (found.status, found.headers.get("unsupported")) == (420, "100rel")
    assert not door.reports


def test_a_session_timer_may_be_required_but_not_be_too_short() -> None:
    door = Door(Tags())
    assert door.trunk_of(invite(("require", "timer")), KNOWN, PLAIN, 0.0) is PLAIN.trunks["carrier"]
    found = refusal(door, invite(("supported", "timer"), ("session-expires", "60")))
    assert (found.status, found.headers.get("min-se")) == (422, "90")


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_credentials_of_a_trunk_let_in_from_anywhere(algorithm: str) -> None:
    door = Door(Tags())
    challenged = refusal(door, invite(), WITH_LOGIN)
    assert challenged.status == 401
    lines = challenged.headers.all("www-authenticate")
    assert [line for line in lines if "SHA-256" in line] != [line for line in lines if "MD5" in line]
    chosen = next(line for line in lines if f"algorithm={algorithm}" in line)
    challenged.headers.set("www-authenticate", chosen)
    asked = invite(*authorised(challenged, LOGIN.password))
    assert door.trunk_of(asked, STRANGER, WITH_LOGIN, 1.0) is LOGIN


def authorised(challenged: Response, password: str) -> list[tuple[str, str]]:
    authenticator = Authenticator(Credentials(LOGIN.username, password))
    assert authenticator.take(challenged, "INVITE")
    return authenticator.authorize(method="INVITE", uri=invite().uri, body=b"", cnonce="c0ffee")


def test_wrong_credentials_get_403_and_old_ones_another_challenge() -> None:
    door = Door(Tags())
    challenged = refusal(door, invite(), WITH_LOGIN)
    wrong = invite(*authorised(challenged, "guessed"))
    assert refusal(door, wrong, WITH_LOGIN, now=1.0).status == 403
    right = invite(*authorised(challenged, LOGIN.password))
    late = refusal(door, right, WITH_LOGIN, now=NONCE_SECONDS + 1)
    assert late.status == 401
    assert "stale=true" in late.headers.all("www-authenticate")[0]


def test_nonces_and_reports_are_bounded() -> None:
    door = Door(Tags())
    for number in range(MAX_NONCES):
        door.trunk_of(invite(), STRANGER, WITH_LOGIN, number / MAX_REFUSALS_A_SECOND)
    assert len(door._nonces) == MAX_NONCES
    assert len(door.reports) == MAX_REPORTS


def test_of_a_flood_only_the_beginning_is_answered_each_second() -> None:
    door = Door(Tags())
    answers = [door.trunk_of(invite(), STRANGER, PLAIN, 5.0) for _ in range(MAX_REFUSALS_A_SECOND + 20)]
    assert sum(answer is not None for answer in answers) == MAX_REFUSALS_A_SECOND
    assert door.dropped == 20
    assert door.trunk_of(invite(), STRANGER, PLAIN, 6.0) is not None
    assert isinstance(door.trunk_of(invite(), KNOWN, PLAIN, 5.0), Trunk), "trunks are not strangers"


def test_a_full_house_says_when_to_come_again() -> None:
    door = Door(Tags())
    found = door.full(invite(), KNOWN, "carrier", "10 calls are open", 0.0)
    assert found is not None
    answer = parse(found.data)
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers.get("retry-after")) == (503, "5")
    assert (door.reports[0].why, door.reports[0].trunk) == ("flood", "carrier")


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:+14255550100@192.0.2.1", "+14255550100"),
        ("sip:+14255550100@192.0.2.1;user=phone", "+14255550100"),
        ("sip:14255550100@192.0.2.1", "+14255550100"),
        ("tel:+1-425-555-0100", "+14255550100"),
        ("sip:911@192.0.2.1", "+911"),
        ("sip:*97@192.0.2.1", "*97"),
        ("sip:ann@192.0.2.1", ""),
    ],
)
def test_what_was_dialled(uri: str, number: str) -> None:
    assert dialled(invite(uri=uri)) == number


@pytest.mark.parametrize(
    ("sender", "asserted", "expected"),
    [
        ('"Ann" <sip:+14255550200@h>;tag=1', "", ("+14255550200", "Ann")),
        ("<sip:14255550200@h>;tag=1", "", ("+14255550200", "")),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', "", ("", "")),
        ("<sip:anonymous@anonymous.invalid>;tag=1", '"Bob" <sip:+14255550333@h>', ("+14255550333", "Bob")),
        ("<sip:+14255550200@h>;tag=1", "<tel:+14255550333>", ("+14255550333", "")),
        ("<sip:+14255550200@h>;tag=1", "<sip:nobody@h>", ("+14255550200", "")),
    ],
)
def test_who_calls(sender: str, asserted: str, expected: tuple[str, str]) -> None:
    asked = invite(*((("p-asserted-identity", asserted),) if asserted else ()))
    asked.headers.set("from", sender)
    assert calling(asked) == expected


def test_who_owns_a_number() -> None:
    assert owner_of(PLAIN, OWN.numbers[0]) is OWN
    assert owner_of(PLAIN, OTHER.numbers[0]) is OTHER
    assert owner_of(PLAIN, "+14255559999") is None

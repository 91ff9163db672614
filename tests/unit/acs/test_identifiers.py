"""Raw ids and the identifier objects around them."""

from typing import Any

import msgspec
import pytest
from azure.communication.callautomation._shared.models import identifier_from_raw_id
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.identifiers import (
    MAX_RAW_ID_LENGTH,
    Identifier,
    communication_user,
    from_raw_id,
    identify,
    normalise,
    phone_number,
    raw_id_of,
)

A, B, C = (letter * 8 + "-1111-2222-3333-444444444444" for letter in "abc")

FORMS = [
    ("4:+14255550123", "phoneNumber", {"value": "+14255550123"}),
    ("4:anonymous", "phoneNumber", {"value": "anonymous", "isAnonymous": True}),
    ("4:+14255550123_77", "phoneNumber", {"value": "+14255550123_77", "assertedId": "77"}),
    ("4:", "phoneNumber", {"value": ""}),
    (f"8:acs:{A}_{B}", "communicationUser", {"id": f"8:acs:{A}_{B}"}),
    (f"8:gcch-acs:{A}_{B}", "communicationUser", {"id": f"8:gcch-acs:{A}_{B}"}),
    (f"8:spool:{A}_{B}", "communicationUser", {"id": f"8:spool:{A}_{B}"}),
    (
        f"8:acs:{A}_{B}_{C}",
        "teamsExtensionUser",
        {"userId": C, "tenantId": B, "resourceId": A, "cloud": "public"},
    ),
    (
        f"8:dod-acs:{A}_{B}_{C}",
        "teamsExtensionUser",
        {"userId": C, "tenantId": B, "resourceId": A, "cloud": "dod"},
    ),
    (f"8:orgid:{A}", "microsoftTeamsUser", {"userId": A, "isAnonymous": False, "cloud": "public"}),
    (f"8:dod:{A}", "microsoftTeamsUser", {"userId": A, "isAnonymous": False, "cloud": "dod"}),
    (f"8:gcch:{A}", "microsoftTeamsUser", {"userId": A, "isAnonymous": False, "cloud": "gcch"}),
    (f"8:teamsvisitor:{A}", "microsoftTeamsUser", {"userId": A, "isAnonymous": True, "cloud": "public"}),
    (f"28:orgid:{A}", "microsoftTeamsApp", {"appId": A, "cloud": "public"}),
    (f"28:gcch:{A}", "microsoftTeamsApp", {"appId": A, "cloud": "gcch"}),
    ("48:something", "unknown", None),
    ("8:acs:", "unknown", None),
    ("no colon", "unknown", None),
    ("", "unknown", None),
]


def written(identifier: Identifier) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(identifier)
    return fields


@pytest.mark.parametrize(("raw_id", "kind", "nested"), FORMS)
def test_a_raw_id_becomes_its_identifier(raw_id: str, kind: str, nested: dict[str, Any] | None) -> None:
    expected = {"kind": kind, "rawId": raw_id} | ({kind: nested} if nested is not None else {})
    assert written(from_raw_id(raw_id)) == expected


@pytest.mark.parametrize(
    ("raw_id", "kind", "nested"), [form for form in FORMS if form[2] and form[0] != "4:"]
)
def test_the_nested_object_alone_gives_the_same(raw_id: str, kind: str, nested: dict[str, Any]) -> None:
    alone = msgspec.convert({kind: nested}, Identifier)
    assert raw_id_of(alone) == raw_id
    assert normalise(alone) == from_raw_id(raw_id)


@pytest.mark.parametrize(("raw_id", "kind", "nested"), [form for form in FORMS if form[0] not in {"", "4:"}])
def test_the_raw_id_alone_gives_the_same(raw_id: str, kind: str, nested: dict[str, Any] | None) -> None:
    assert normalise(Identifier(raw_id=raw_id)) == from_raw_id(raw_id)


@pytest.mark.parametrize(
    "raw_id", [form[0] for form in FORMS if form[1] != "unknown" and form[0] not in {"4:", "4:anonymous"}]
)
def test_the_official_sdk_reads_the_same_kind(raw_id: str) -> None:
    theirs = identifier_from_raw_id(raw_id)
    ours = from_raw_id(raw_id)
    names = {"communicationUser": "communication_user", "phoneNumber": "phone_number"}
    names |= {"microsoftTeamsUser": "microsoft_teams_user", "microsoftTeamsApp": "microsoft_teams_app"}
    names |= {"teamsExtensionUser": "teams_extension_user"}
    assert ours.kind
    assert str(getattr(theirs.kind, "value", theirs.kind)) == names[ours.kind.value]
    assert theirs.raw_id == ours.raw_id


def test_identify_takes_numbers_and_raw_ids() -> None:
    assert identify("+14255550123") == phone_number("+14255550123") == from_raw_id("4:+14255550123")
    assert identify(f"8:acs:{A}_{B}") == communication_user(f"8:acs:{A}_{B}")


def test_the_nested_object_wins_over_raw_id_and_kind() -> None:
    contradicting = msgspec.convert(
        {"kind": "microsoftTeamsApp", "rawId": "4:+1", "phoneNumber": {"value": "+14255550123"}}, Identifier
    )
    assert normalise(contradicting) == phone_number("+14255550123")


def test_a_user_with_an_id_of_no_known_form_stays_a_user() -> None:
    assert normalise(msgspec.convert({"communicationUser": {"id": "bob"}}, Identifier)) == communication_user(
        "bob"
    )


def test_the_javascript_sdk_says_that_a_number_is_not_anonymous() -> None:
    sent = {"kind": "phoneNumber", "rawId": "4:+1", "phoneNumber": {"value": "+1", "isAnonymous": False}}
    assert normalise(msgspec.convert(sent, Identifier)) == phone_number("+1")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({}, "needs rawId"),
        ({"kind": "phoneNumber"}, "needs rawId"),
        ({"rawId": ""}, "needs rawId"),
        ({"rawId": "8:acs:" + "a" * MAX_RAW_ID_LENGTH}, "are allowed"),
        (
            {"phoneNumber": {"value": "+1"}, "communicationUser": {"id": "8:acs:a_b"}},
            "communicationUser and phoneNumber",
        ),
    ],
)
def test_what_names_nobody_or_two_is_refused_with_its_place(sent: dict[str, Any], says: str) -> None:
    with pytest.raises(ApiError) as raised:
        normalise(msgspec.convert(sent, Identifier), "$.targets[3]")
    assert (raised.value.status, raised.value.code, raised.value.target) == (400, "8523", "$.targets[3]")
    assert says in raised.value.message


@given(st.text(max_size=80))
def test_any_text_is_some_identifier_and_keeps_its_raw_id(raw_id: str) -> None:
    identifier = from_raw_id(raw_id)
    assert identifier.raw_id == raw_id
    assert identifier.kind
    assert raw_id_of(identifier) in {raw_id, None}

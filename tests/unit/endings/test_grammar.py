"""Subcodes that no table lists: what their digits tell, which step told it, and how far to trust it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.endings.codes import find_all, known_subcodes, rows
from onhook.endings.grammar import Step, class_of, decode, families, family_of
from onhook.endings.verdict import Confidence


@pytest.mark.parametrize(
    ("asked", "step", "confidence"),
    [
        ((560486, 486), "exact pair", "high"),
        ((560486, None), "exact subcode", "high"),
        ((560486, 480), "exact subcode", "medium"),
        ((8565, None), "exact subcode", "medium"),
        ((560502, None), "six-digit family", "high"),
        ((560502, 502), "six-digit family", "high"),
        ((560502, 503), "six-digit family", "medium"),
        ((560699, None), "six-digit family", "medium"),
        ((560050, None), "six-digit family", "low"),
        ((540413, None), "six-digit family", "medium"),
        ((540699, 400), "six-digit family", "low"),
        ((531123, 410), "six-digit family", "medium"),
        ((569111, 504), "six-digit family", "medium"),
        ((569111, 503), "six-digit family", "low"),
        ((580123, None), "six-digit family", "low"),
        ((8507, 400), "four- or five-digit family", "low"),
        ((8550 + 6 * 10, 400), "exact subcode", "low"),
        ((4599, None), "four- or five-digit family", "medium"),
        ((40150, 500), "four- or five-digit family", "medium"),
        ((10999, None), "four- or five-digit family", "low"),
        ((123456, 503), "code alone", "low"),
        ((123456, None), "unknown", "low"),
        ((123456, 999), "unknown", "low"),
    ],
)
def test_the_step_and_the_confidence_are_stated(
    asked: tuple[int, int | None], step: Step, confidence: Confidence
) -> None:
    decoded = decode(*asked)
    assert (decoded.step, decoded.confidence) == (step, confidence)
    assert decoded.meaning
    assert decoded.layer
    assert decoded.decided_by
    assert decoded.advice or decoded.row is not None


@pytest.mark.parametrize("status", [400, 405, 413, 481, 488, 501, 502, 505, 604, 606])
@pytest.mark.parametrize(("first", "direction"), [(560_000, "outbound"), (540_000, "inbound")])
def test_the_last_digits_of_a_leg_are_its_sip_status(first: int, direction: str, status: int) -> None:
    decoded = decode(first + status, status)
    assert decoded.expected_code == status
    assert decoded.sip_status == status
    assert decoded.direction == direction


def test_the_outbound_leg_is_decided_by_the_sbc_and_the_inbound_leg_may_not_be() -> None:
    assert decode(560502).decided_by == "SBC or operator"
    assert decode(540502).decided_by == "service or SBC"


@pytest.mark.parametrize(
    ("subcode", "layer", "decided_by"),
    [
        (7599, "authorization of the API caller", "service"),
        (7699, "access to a resource", "service"),
        (9050, "service underneath", "service"),
        (301123, "media between participant and service", "service"),
        (500123, "gateway leg timer", "service"),
        (510123, "number lookup and routing", "service"),
        (511123, "number lookup and routing (ACS resource)", "service"),
        (531123, "media processor towards the SBC", "service"),
        (549123, "delivery on the inbound leg", "service (its SIP proxy)"),
        (569123, "delivery on the outbound leg", "service (its SIP proxy)"),
        (580123, "entitlement and usage", "service"),
        (5399, "conversation service", "service"),
        (5899, "admission", "service"),
        (3199, "client media", "client"),
        (40699, "Calling SDK", "client"),
        (71999, "token or request validation", "service"),
    ],
)
def test_families_name_the_layer_and_who_decided(subcode: int, layer: str, decided_by: str) -> None:
    assert subcode not in known_subcodes()
    decoded = decode(subcode)
    assert (decoded.layer, decoded.decided_by) == (layer, decided_by)


@pytest.mark.parametrize(
    ("subcode", "area"),
    [
        (40099, "Client object"), (40199, "Start-up"), (40299, "tokens"), (40699, "permissions"),
        (41099, "mute"),
        (41899, "Lobby"), (41999, "policies"), (42099, "Remote participants"), (43099, "Local video"),
        (43199, "Remote video"), (43299, "Rendering"), (43699, "Local audio"), (44099, "Identifiers"),
        (44199, "token"), (45099, "Audio effects"), (45199, "Survey"), (45299, "Captions"), (45399,
        "Data channel"),
        (45499, "diagnostics"), (45599, "media statistics"), (45699, "video count"), (45740, "Pre-call"),
        (45799, "Raise hand"), (45845, "Reactions"), (45899, "Recording"), (45999, "Spotlight"),
        (46049, "Transcription"), (46099, "Transfer"), (46149, "Unmixed"), (46199, "Video effects"),
        (46299, "Local recording"),
    ],
)  # fmt: skip
def test_areas_of_the_calling_sdk_are_told_apart(subcode: int, area: str) -> None:
    assert area in decode(subcode).meaning


def test_a_number_lookup_may_carry_the_code_in_its_last_digits() -> None:
    decoded = decode(510404, 404)
    assert decoded.expected_code == 404
    assert any("Inferred" in remark for remark in decoded.remarks)
    assert decode(510404, 403).confidence == "low"
    assert decode(511999).expected_code is None


def test_a_delivery_failure_is_never_read_as_a_sip_status() -> None:
    for subcode in (549486, 569486):
        decoded = decode(subcode)
        assert decoded.sip_status is None
        assert decoded.expected_code == 504


@pytest.mark.parametrize("digits", [1, 50, 99, 100, 199, 700, 850, 899])
def test_digits_outside_300_to_699_are_no_final_status(digits: int) -> None:
    for first in (540_000, 560_000):
        decoded = decode(first + digits)
        assert decoded.sip_status is None
        assert decoded.confidence == "low"


def test_a_2xx_in_the_digits_is_a_cancel_that_crossed_the_answer() -> None:
    listed, inferred = decode(540200, 487), decode(560200)
    assert listed.step == "exact pair"
    assert inferred.expected_code == 487
    assert "answered" in inferred.meaning


def test_a_code_that_does_not_fit_is_said_and_lowers_the_confidence() -> None:
    decoded = decode(560502, 503)
    assert decoded.confidence == "medium"
    assert "Code 503 does not fit" in decoded.remarks[0]
    assert decoded.expected_code == 502


@pytest.mark.parametrize(
    ("subcode", "code", "right"),
    [(60486, 486, "486/560486"), (560487, 497, "487/560487"), (44214, 400, "400/40214")],
)
def test_a_misprint_names_the_right_pair(subcode: int, code: int, right: str) -> None:
    decoded = decode(subcode, code)
    assert any(right in remark for remark in decoded.remarks)
    assert decoded.confidence == "medium"
    assert decoded.expected_code == int(right.partition("/")[0])


def test_misprints_and_code_200_do_not_make_a_subcode_ambiguous() -> None:
    assert decode(560487).confidence == "high"
    assert decode(7000).confidence == "high"
    assert decode(560487).remarks == ()


def test_a_subcode_with_several_codes_says_so() -> None:
    decoded = decode(531000)
    assert decoded.confidence == "medium"
    assert "410, 488" in decoded.remarks[0]


def test_an_unknown_subcode_names_the_nearest_layer() -> None:
    assert decode(545123).nearest_layer == "inbound leg (SBC to service)"
    assert decode(999999).nearest_layer == ""
    assert decode(545123, 500).nearest_layer == "inbound leg (SBC to service)"


@pytest.mark.parametrize("subcode", [1_000_000, -1, 10**30])
def test_subcodes_beyond_six_digits_are_refused_with_a_reason(subcode: int) -> None:
    decoded = decode(subcode)
    assert decoded.step == "unknown"
    assert any("six digits" in remark for remark in decoded.remarks)


def test_every_listed_pair_is_decoded_from_its_row() -> None:
    for row in rows():
        if row.code is None or row.subcode is None:
            continue
        decoded = decode(row.subcode, row.code)
        assert decoded.step == "exact pair"
        assert decoded.row in find_all(row.code, row.subcode)
        assert decoded.layer != "unknown", row


def test_every_listed_subcode_belongs_to_a_family_but_the_misprint() -> None:
    assert {subcode for subcode in known_subcodes() if family_of(subcode) is None} == {60486}


def test_families_do_not_overlap_but_by_nesting() -> None:
    listed = [family for family in families() if family.of == "subcode"]
    for one in listed:
        for other in listed:
            if one is other or one.last < other.first or other.last < one.first:
                continue
            nested = (one.first >= other.first and one.last <= other.last) or (
                other.first >= one.first and other.last <= one.last
            )
            assert nested, (one, other)
    assert len({(family.of, family.first, family.last) for family in families()}) == len(families())


def test_every_family_says_layer_meaning_advice_and_evidence() -> None:
    for family in families():
        assert family.first <= family.last
        assert family.layer
        assert family.meaning.endswith(".")
        assert family.advice.endswith(".")
        assert family.evidence in {"documented", "published-in-query", "teams", "graph"}


@pytest.mark.parametrize(
    ("code", "who"),
    [(0, "as the subcode says"), (486, "client"), (430, "service"), (491, "client"), (603, "callee")],
)
def test_classes_of_codes(code: int, who: str) -> None:
    found = class_of(code)
    assert found is not None
    assert found.decided_by == who


def test_a_code_outside_every_class_tells_nothing() -> None:
    assert class_of(700) is None
    assert class_of(150) is None


@given(st.integers(), st.none() | st.integers())
def test_any_numbers_are_decoded(subcode: int, code: int | None) -> None:
    decoded = decode(subcode, code)
    assert decoded.subcode == subcode
    assert decoded.code == code
    assert decoded.meaning
    assert decoded.confidence in {"high", "medium", "low"}


@given(st.integers(300, 699))
def test_every_final_status_is_decoded_on_both_legs(status: int) -> None:
    for first in (540_000, 560_000):
        decoded = decode(first + status)
        assert decoded.sip_status == status

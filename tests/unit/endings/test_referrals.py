"""A REFER that came to nothing: in the codes of a call to the target, whatever is known of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.endings.referrals import PAGES, ReferralFault, judge_referral
from onhook.endings.rules import REFUSALS, ending_of_status


@pytest.mark.parametrize(
    ("fault", "status", "expected"),
    [
        ("target", 486, ("callee-busy", 486, 560486)),
        ("refused", 603, ("callee-declined", 603, 560603)),
        ("target", 404, ("number-not-found", 404, 560404)),
        ("refused", 502, ("trunk-server-error", 502, 560502)),
        ("untold", 0, ("transfer-untold", 408, 10057)),
        ("timeout", 0, ("transfer-untold", 408, 10057)),
        ("left", 0, ("transfer-cut-off", 400, 8528)),
        ("undeliverable", 0, ("trunk-unreachable", 504, 569002)),
        ("target", 0, ("transfer-untold", 408, 10057)),
        ("refused", 200, ("transfer-untold", 408, 10057)),
    ],
)
def test_the_status_decides_else_the_fault(
    fault: ReferralFault, status: int, expected: tuple[str, int, int]
) -> None:
    verdict = judge_referral(fault, status)
    assert (verdict.ending, verdict.code, verdict.subcode) == expected
    assert verdict.event_code == verdict.code
    assert verdict.message.endswith(f"DiagCode: {expected[1]}#{expected[2]}.@")
    assert (verdict.sip_status is not None) is (status >= 300)


def test_the_words_of_the_trunk_are_passed_on_or_those_of_the_rfc() -> None:
    assert judge_referral("target", 486, "Besetzt").sip_reason == "Besetzt"
    assert judge_referral("target", 486).sip_reason == "Busy Here"
    assert "Besetzt" in judge_referral("refused", 502, "Besetzt").message


def test_every_refusal_has_an_ending() -> None:
    assert {ending_of_status(status) for status in range(300, 700)} == {ending for ending, _, _ in REFUSALS}


@given(st.sampled_from([*PAGES, "refused", "target"]), st.integers(0, 999), st.text(max_size=200))
def test_it_is_total(fault: ReferralFault, status: int, phrase: str) -> None:
    verdict = judge_referral(fault, status, phrase)
    assert verdict.category
    assert verdict.message.isprintable()

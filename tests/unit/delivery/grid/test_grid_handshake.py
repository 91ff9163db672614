"""What each answer to a validation request means, in both schemas."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.handshake import Ruling, rule
from unit.delivery.grid.grid_rig import record, subscription

EVENT_GRID = record()
CLOUD_EVENTS = record(subscription(schema="cloudevents"))
GOOD = b'{"validationResponse": "code-1"}'
ALLOWED = {"webhook-allowed-origin": "eventgrid.azure.net", "webhook-allowed-rate": "120"}


def ruled(answer: Answer) -> Ruling:
    return rule(EVENT_GRID, answer)


def agreed(answer: Answer) -> Ruling:
    return rule(CLOUD_EVENTS, answer)


class TestEventGrid:
    @pytest.mark.parametrize(
        "body",
        [GOOD, b'{"ValidationResponse": "code-1", "more": 1}', b' {"validationResponse":"code-1"}\r\n'],
    )
    def test_the_code_echoed_in_a_200_validates(self, body: bytes) -> None:
        assert ruled(Answer(200, body=body)) == ("Succeeded", "the endpoint echoed the validation code")

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"", "no validationResponse"),
            (b"ok", "no validationResponse"),
            (b"[]", "no validationResponse"),
            (b'"code-1"', "no validationResponse"),
            (b'{"validationResponse": null}', "no validationResponse"),
            (b'{"validationResponse": 7}', "no validationResponse"),
            (b'{"validationCode": "code-1"}', "no validationResponse"),
            (b'{"validationResponse": "code-2"}', "another validationResponse"),
            (b'{"validationResponse": "CODE-1"}', "another validationResponse"),
            (b"\xff\xfe", "no validationResponse"),
            (b"[" * 100_000, "no validationResponse"),
        ],
    )
    def test_a_200_without_the_code_waits_for_the_url(self, body: bytes, said: str) -> None:
        ruling = ruled(Answer(200, body=body))
        assert ruling.state == "AwaitingManualAction"
        assert said in ruling.why
        assert "validationResponse" in ruling.why
        assert "open the validation URL" in ruling.why

    def test_202_does_not_count_even_with_the_code(self) -> None:
        ruling = ruled(Answer(202, body=GOOD))
        assert ruling.state == "Creating"
        assert "202, which validates nothing" in ruling.why

    @pytest.mark.parametrize("status", [201, 204, 408, 429, 500, 502, 503, 599])
    def test_what_may_pass_is_asked_again(self, status: int) -> None:
        ruling = ruled(Answer(status, "Later", body=GOOD))
        assert ruling.state == "Creating"
        assert f"{status} Later" in ruling.why

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 415])
    def test_a_refusal_ends_it(self, status: int) -> None:
        ruling = ruled(Answer(status, "No", body=GOOD))
        assert ruling.state == "Failed"
        assert f"{status} No" in ruling.why

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_redirects_are_not_followed(self, status: int) -> None:
        ruling = ruled(Answer(status, "Found to https://other.example/"))
        assert ruling.state == "Failed"
        assert "https://other.example/" in ruling.why
        assert "redirects are not followed" in ruling.why

    @pytest.mark.parametrize("outcome", ["TimedOut", "SocketError", "ResolutionError"])
    def test_no_answer_is_asked_again(self, outcome: str) -> None:
        assert ruled(Answer(None, "in words", outcome)) == ("Creating", "in words")

    @pytest.mark.parametrize("outcome", ["Untrusted", "Refused"])
    def test_what_no_attempt_can_change_ends_it(self, outcome: str) -> None:
        assert ruled(Answer(None, "in words", outcome)) == ("Failed", "in words")

    @given(st.binary(max_size=200))
    def test_no_body_breaks_it(self, body: bytes) -> None:
        assert ruled(Answer(200, body=body)).state == "AwaitingManualAction"

    @given(st.text(max_size=40))
    def test_only_the_very_code_validates(self, code: str) -> None:
        body = json.dumps({"validationResponse": code}).encode()
        assert (ruled(Answer(200, body=body)).state == "Succeeded") == (code == "code-1")


class TestCloudEvents:
    @pytest.mark.parametrize(
        "headers",
        [
            ALLOWED,
            {"webhook-allowed-origin": "*", "webhook-allowed-rate": "*"},
            {"webhook-allowed-origin": " EventGrid.azure.net ", "webhook-allowed-rate": " 1 "},
        ],
    )
    @pytest.mark.parametrize("status", [200, 204])
    def test_both_headers_agree(self, headers: dict[str, str], status: int) -> None:
        assert agreed(Answer(status, headers=headers)).state == "Succeeded"

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"webhook-allowed-origin": "other.example"}, "allows other.example"),
            ({"webhook-allowed-origin": ""}, "no WebHook-Allowed-Origin"),
            ({"webhook-allowed-rate": ""}, "WebHook-Allowed-Rate is missing"),
            ({"webhook-allowed-rate": "0"}, "WebHook-Allowed-Rate says '0'"),
            ({"webhook-allowed-rate": "-5"}, "WebHook-Allowed-Rate says '-5'"),
            ({"webhook-allowed-rate": "many"}, "WebHook-Allowed-Rate says 'many'"),
            ({"webhook-allowed-rate": "²"}, "WebHook-Allowed-Rate says '²'"),
        ],
    )
    def test_half_an_agreement_is_none(self, changes: dict[str, str], why: str) -> None:
        ruling = agreed(Answer(200, headers=ALLOWED | changes))
        assert ruling.state == "Failed"
        assert why in ruling.why

    def test_without_both_it_may_agree_by_callback(self) -> None:
        ruling = agreed(Answer(200))
        assert ruling.state == "AwaitingManualAction"
        assert "WebHook-Request-Callback" in ruling.why

    @pytest.mark.parametrize(("status", "state"), [(405, "Failed"), (404, "Failed"), (500, "Creating")])
    def test_consent_needs_a_success(self, status: int, state: str) -> None:
        ruling = agreed(Answer(status, "Sorry", headers=ALLOWED))
        assert ruling.state == state
        assert f"{status} Sorry to OPTIONS" in ruling.why

    def test_redirects_are_not_followed(self) -> None:
        ruling = agreed(Answer(307, "Temporary Redirect to /there", headers=ALLOWED))
        assert ruling.state == "Failed"
        assert "redirects are not followed" in ruling.why

    def test_no_answer_is_asked_again(self) -> None:
        assert agreed(Answer(None, "no answer within 30 s", "TimedOut")).state == "Creating"

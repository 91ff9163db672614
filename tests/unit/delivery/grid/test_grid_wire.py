"""Requests to endpoints and dead letters, byte for byte where it matters."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.grid_events import CallOf, Joined, participant_added
from onhook.acs.identifiers import communication_user
from onhook.calls.grid import GridTry, bare
from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.wire import (
    as_json,
    dead_letter,
    event_fields,
    grid_time,
    notification,
    printable,
    topic_of,
    validation,
)
from unit.delivery.grid.grid_rig import START, delivery, record, subscription

TOPIC = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/onhook"
    "/providers/microsoft.communication/communicationservices/dev"
)
TRIED = (
    GridTry(at=START + 1, status=500, elapsed_ms=2.0, outcome="Busy", error="Internal Server Error"),
    GridTry(at=START + 12, status=404, elapsed_ms=2.0, outcome="NotFound", error="Not Found"),
)


def json(body: bytes) -> Any:
    return msgspec.json.decode(body)


class TestEventGridSchema:
    def test_the_body_is_an_array_of_one(self) -> None:
        request = notification(subscription(), delivery())
        assert request.method == "POST"
        assert json(request.body) == [
            {
                "id": "event-1",
                "topic": TOPIC,
                "subject": "/caller/4:+14255550123/recipient/4:+14255550100",
                "data": {"serverCallId": "s"},
                "eventType": "Microsoft.Communication.IncomingCall",
                "dataVersion": "1.0",
                "metadataVersion": "1",
                "eventTime": "2027-01-15T08:00:00.0000000Z",
            }
        ]

    def test_the_headers(self) -> None:
        assert notification(subscription("my-Calls"), delivery()).headers == {
            "Content-Type": "application/json; charset=utf-8",
            "aeg-event-type": "Notification",
            "aeg-subscription-name": "MY-CALLS",
            "aeg-delivery-count": "0",
            "aeg-data-version": "1.0",
            "aeg-metadata-version": "1",
            "aeg-output-event-id": "delivery-1",
        }

    def test_attempts_are_counted_from_zero(self) -> None:
        counts = [
            notification(subscription(), delivery(tries=TRIED[:made])).headers["aeg-delivery-count"]
            for made in range(3)
        ]
        assert counts == ["0", "1", "2"]

    def test_the_endpoint_is_used_as_it_was_given(self) -> None:
        url = "https://app.example/a b/%2F?code=a%20b+c&x="
        assert notification(subscription(endpoint=url), delivery()).url == url


class TestCloudEventsSchema:
    def test_the_body_is_one_cloud_event(self) -> None:
        request = notification(subscription(schema="cloudevents"), delivery())
        assert json(request.body) == {
            "id": "event-1",
            "source": TOPIC,
            "specversion": "1.0",
            "type": "Microsoft.Communication.IncomingCall",
            "subject": "/caller/4:+14255550123/recipient/4:+14255550100",
            "time": "2027-01-15T08:00:00.0000000Z",
            "datacontenttype": "application/json",
            "data": {"serverCallId": "s"},
        }

    def test_the_headers(self) -> None:
        assert notification(subscription(schema="cloudevents"), delivery(tries=TRIED)).headers == {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "aeg-event-type": "Notification",
            "aeg-subscription-name": "CALLS",
            "aeg-delivery-count": "2",
            "aeg-metadata-version": "1.0",
            "aeg-output-event-id": "delivery-1",
            "Origin": "eventgrid.azure.net",
        }


class TestValidation:
    def test_event_grid_posts_one_validation_event(self) -> None:
        request = validation(record(), event_id="id-9", at=START + 0.25, url="https://x/?token=t")
        assert request.method == "POST"
        assert request.wants_body
        assert json(request.body) == [
            {
                "id": "id-9",
                "topic": TOPIC,
                "subject": "",
                "data": {"validationCode": "code-1", "validationUrl": "https://x/?token=t"},
                "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
                "eventTime": "2027-01-15T08:00:00.2500000Z",
                "metadataVersion": "1",
                "dataVersion": "1",
            }
        ]
        assert request.headers["aeg-event-type"] == "SubscriptionValidation"
        assert request.headers["aeg-subscription-name"] == "CALLS"
        assert request.headers["Content-Type"] == "application/json; charset=utf-8"

    def test_cloud_events_asks_by_options(self) -> None:
        settings = subscription(schema="cloudevents")
        request = validation(record(settings), event_id="id-9", at=START, url="https://x/?token=t")
        assert (request.method, request.url, request.body) == ("OPTIONS", settings.endpoint, b"")
        assert request.headers["WebHook-Request-Origin"] == "eventgrid.azure.net"
        assert request.headers["WebHook-Request-Callback"] == "https://x/?token=t"
        assert request.headers["WebHook-Request-Rate"].isdecimal()


class TestDeadLetters:
    def test_the_event_keeps_its_fields_and_gets_five_more(self) -> None:
        buried = delivery(
            tries=TRIED, fate="dead-lettering", reason="MaxDeliveryAttemptsExceeded", published_at=START + 0.5
        )
        line = dead_letter(buried, "eventgrid")
        assert line.endswith(b"}\n")
        assert line.count(b"\n") == 1
        fields = json(line)
        event = json(msgspec.json.encode(event_fields(buried, "eventgrid")))
        assert fields == event | {
            "deadLetterReason": "MaxDeliveryAttemptsExceeded",
            "deliveryAttempts": 2,
            "lastDeliveryOutcome": "NotFound",
            "publishTime": "2027-01-15T08:00:00.5000000Z",
            "lastDeliveryAttemptTime": "2027-01-15T08:00:12.0000000Z",
        }

    def test_cloud_events_write_them_small(self) -> None:
        fields = json(dead_letter(delivery(tries=TRIED, reason="TimeToLiveExceeded"), "cloudevents"))
        assert fields["specversion"] == "1.0"
        assert fields["deadletterreason"] == "TimeToLiveExceeded"
        assert fields["deliveryattempts"] == 2
        assert fields["lastdeliveryoutcome"] == "NotFound"
        assert {"publishtime", "lastdeliveryattempttime"} < fields.keys()

    def test_one_that_was_never_tried_has_no_last_attempt(self) -> None:
        fields = json(dead_letter(delivery(reason="TimeToLiveExceeded"), "eventgrid"))
        assert fields["deliveryAttempts"] == 0
        assert fields["lastDeliveryOutcome"] == ""
        assert "lastDeliveryAttemptTime" not in fields


@pytest.mark.parametrize(
    ("answer", "outcome", "taken"),
    [
        (Answer(200), "Delivered", True),
        (Answer(204), "Delivered", True),
        (Answer(205), "BadRequest", False),
        (Answer(302), "BadRequest", False),
        (Answer(400), "BadRequest", False),
        (Answer(401), "Unauthorized", False),
        (Answer(403), "Forbidden", False),
        (Answer(404), "NotFound", False),
        (Answer(408), "TimedOut", False),
        (Answer(413), "PayloadTooLarge", False),
        (Answer(429), "Busy", False),
        (Answer(500), "Busy", False),
        (Answer(None, "x", "TimedOut"), "TimedOut", False),
        (Answer(None, "x", "ResolutionError"), "ResolutionError", False),
        (Answer(None, "x", "Untrusted"), "SocketError", False),
    ],
)
def test_an_outcome_has_a_word_of_event_grid(answer: Answer, outcome: str, *, taken: bool) -> None:
    assert answer.taken == taken
    kept = answer.tried(START, 0.0123456)
    assert (kept.outcome, kept.elapsed_ms, kept.at) == (outcome, 12.346, START)


def test_an_attempt_is_told_in_words() -> None:
    assert Answer(500, "Internal Server Error").tried(0, 0).told == "500 Internal Server Error"
    assert Answer(204).told == "204"
    assert Answer(None, "no answer within 30 s", "TimedOut").tried(0, 0).told == "no answer within 30 s"


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.0000000Z"),
        (START + 0.125, "2027-01-15T08:00:00.1250000Z"),
        (START - 1e-8, "2027-01-15T08:00:00.0000000Z"),
    ],
)
def test_times_have_seven_digits_and_a_z(at: float, text: str) -> None:
    assert grid_time(at) == text


def test_topics_differ_by_resource() -> None:
    assert topic_of("dev") == TOPIC
    assert topic_of("shop").endswith("/communicationservices/shop")


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("https://a.example/x?code=secret", "https://a.example/x?…"),
        ("https://a.example/x", "https://a.example/x"),
        ("https://a.example/x?", "https://a.example/x?…"),
    ],
)
def test_keys_in_an_endpoint_are_not_shown(endpoint: str, shown: str) -> None:
    assert bare(endpoint) == shown


@given(st.text(st.characters(), max_size=30))
def test_any_text_of_strangers_can_be_sent(name: str) -> None:
    user = communication_user("8:acs:a_b")
    event = participant_added(CallOf("s", "c", user), Joined(user, "p", display_name=name))
    fields = json(as_json(event.data))
    assert fields["displayName"] == printable(name)
    assert printable(printable(name)) == printable(name)


def test_bytes_that_were_no_utf_8_are_replaced() -> None:
    user = communication_user("8:acs:a_b")
    event = participant_added(CallOf("s\udcff", "c", user), Joined(user, "p", "Zo\udceb", user_agent="x"))
    fields = json(as_json(event.data))
    assert fields["displayName"].startswith("Zo\ufffd")
    assert fields["serverCallId"].startswith("s\ufffd")
    assert fields["userAgent"] == "x"

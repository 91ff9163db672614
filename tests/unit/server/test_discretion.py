"""What stays out of Onhook's own pages."""

from typing import Any

import pytest

from onhook.acs.models import (
    MediaStreamingAudioChannelType,
    StreamingTransportType,
    WebSocketMediaStreamingOptions,
)
from onhook.calls.record import Connection, MediaOptions
from onhook.facts import ApiRequested, SipSeen, StreamChanged
from onhook.server.discretion import call_fields, fact_fields, without_queries
from store_samples import record

KEY = "code=topsecret"


def test_secrets_and_the_queries_of_every_address_are_left_out_of_a_record() -> None:
    streaming = WebSocketMediaStreamingOptions(
        transport_type=StreamingTransportType.WEBSOCKET,
        audio_channel_type=MediaStreamingAudioChannelType.MIXED,
        transport_url=f"wss://app.example/audio?{KEY}",
    )
    other = Connection(
        id="second",
        leg="second",
        resource="dev",
        begun_by="connect",
        user="8:acs:res_b",
        callback_uri=f"https://other.example/events?{KEY}",
        api_version="2026-03-12",
    )
    kept = record(
        secret="0" * 64,
        callback_uri=f"https://app.example/events?{KEY}",
        media_options=MediaOptions(streaming=streaming),
        connections=[other],
    )
    shown = call_fields(kept)
    assert "secret" not in shown
    assert KEY not in str(shown)
    assert shown["callback_uri"] == "https://app.example/events?…"
    assert shown["connections"][0]["callback_uri"] == "https://other.example/events?…"
    assert shown["media_options"]["streaming"]["transportUrl"] == "wss://app.example/audio?…"
    assert shown["id"] == kept.id


def test_what_was_asked_is_shown_without_keys() -> None:
    body = b'{"playSources":[{"file":{"uri":"https://app.example/a.wav?' + KEY.encode() + b'"}}],"n":1}'
    fields = fact_fields(ApiRequested(at=1.0, operation="play", status=202, body=body))
    assert fields["body"] == '{"playSources":[{"file":{"uri":"https://app.example/a.wav?…"}}],"n":1}'
    fields = fact_fields(
        StreamChanged(at=1.0, stream="s", state="failed", detail=f"wss://a.example/?{KEY} broke")
    )
    assert fields["detail"] == "wss://a.example/?… broke"


def test_sip_is_shown_as_it_was() -> None:
    message = b"INFO sip:a@b SIP/2.0\r\nCall-Info: <http://b.example/a?b=c>\r\n\r\n\xff"
    fact = SipSeen(at=1.0, direction="received", transport="udp", peer="192.0.2.1:5060", message=message)
    assert fact_fields(fact)["message"] == message.decode(errors="backslashreplace")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://a.example/b", "https://a.example/b"),
        ("HTTP://a.example/b?c#d", "HTTP://a.example/b?…"),
        ("sip:a@b?c=d", "sip:a@b?c=d"),
        ("what? https://a/?b, ws://c?d", "what? https://a/?… ws://c?…"),
        (("https://a/?b", 1, None, b"https://a/?b"), ["https://a/?…", 1, None, b"https://a/?b"]),
    ],
)
def test_queries(given: Any, shown: Any) -> None:
    assert without_queries(given) == shown

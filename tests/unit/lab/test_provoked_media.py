"""Media that shall fail tells the facts of its page, and only the kind of media that the page is about."""

import pytest

from onhook.effects import Listen, MediaEffect, OpenStream, PlayPrompt
from onhook.facts import ListeningFailed, PromptEnded, StreamChanged
from onhook.lab.causes import causes
from onhook.lab.provoked_media import failure_of

PLAY = PlayPrompt(id="p", room="r", sources=())
LISTEN = Listen(id="l", room="r", leg="a")
STREAM = OpenStream(
    id="s",
    room="r",
    kind="audio",
    url="wss://app.example/audio?key=1",
    connection="c",
    correlation_id="",
    resource="dev",
)


def test_a_prompt_fails_as_its_page_says() -> None:
    failed = failure_of(PLAY, "prompt-not-served", 5.0)
    assert isinstance(failed, PromptEnded)
    assert (failed.at, failed.prompt, failed.how) == (5.0, "p", "failed")
    assert (failed.fault, failed.http_status) == ("status", 404)


def test_a_recogniser_and_a_stream_fail_as_their_pages_say() -> None:
    heard = failure_of(LISTEN, "recognizer-failed", 5.0)
    assert isinstance(heard, ListeningFailed)
    assert (heard.leg, heard.listening) == ("a", "l")
    refused = failure_of(STREAM, "stream-refused", 5.0)
    assert isinstance(refused, StreamChanged)
    assert (refused.state, refused.url, refused.http_status) == ("failed", "wss://app.example/audio", 403)


@pytest.mark.parametrize(
    ("effect", "name"),
    [
        (PLAY, "recognizer-failed"),
        (LISTEN, "prompt-format"),
        (PLAY, "callee-busy"),
        (STREAM, "recording-failed"),
    ],
)
def test_other_media_goes_on(effect: MediaEffect, name: str) -> None:
    assert failure_of(effect, name, 5.0) is None


def test_every_cause_of_media_makes_one_kind_fail() -> None:
    effects: tuple[MediaEffect, ...] = (PLAY, LISTEN, STREAM)
    for cause in causes().values():
        if cause.arm == "media" and cause.name != "recording-failed":
            assert sum(failure_of(each, cause.name, 1.0) is not None for each in effects) == 1, cause.name

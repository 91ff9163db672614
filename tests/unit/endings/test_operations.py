"""Operations on media: each end leads to its page or to a success, and events say what explanations say."""

import re
from typing import Any, get_args

import pytest

from onhook.endings.codes import find_all
from onhook.endings.judge import judge
from onhook.endings.operations import (
    BY_STATUS,
    NO_FAILURE,
    OF_PARTIES,
    SUCCESSES,
    ending_of,
    failed_operations,
    judge_operation,
    prompt_ending,
    result_of,
)
from onhook.endings.pages import page, pages
from onhook.facts import (
    ApiRequested,
    DigitHeard,
    Fact,
    ListeningFailed,
    OperationEnd,
    OperationEnded,
    PromptEnded,
    PromptFault,
    PromptStarted,
    SpeechBegan,
    SpeechHeard,
    StreamChanged,
)
from timelines import begun

ENDS: tuple[OperationEnd, ...] = tuple(how for how in get_args(OperationEnd) if how not in OF_PARTIES)
FAULTS: tuple[PromptFault, ...] = get_args(PromptFault)


def ended(how: OperationEnd, operation: str = "play", **more: Any) -> OperationEnded:
    return OperationEnded(at=20.0, action="a1", operation=operation, how=how, **more)


def asked(operation: str, action: str = "a1") -> ApiRequested:
    return ApiRequested(at=10.0, operation=operation, status=202, action=action)


DOCUMENTED: list[tuple[OperationEnded, tuple[int, int]]] = [
    (ended("done"), (200, 0)),
    (ended("max-digits", "recognize"), (200, 8531)),
    (ended("stop-tone", "recognize"), (200, 8514)),
    (ended("digit-choice", "recognize"), (200, 8533)),
    (ended("speech-choice", "recognize"), (200, 8545)),
    (ended("speech", "recognize"), (200, 8569)),
    (ended("cancelled"), (400, 8508)),
    (ended("silence", "recognize"), (400, 8510)),
    (ended("between-digits", "recognize"), (400, 8532)),
    (ended("no-match", "recognize"), (400, 8547)),
    (ended("not-understood", "recognize"), (400, 8563)),
    (ended("speech-too-slow", "recognize"), (408, 8570)),
    (ended("wrong-digit", "recognize"), (500, 8534)),
    (ended("prompt-failed", "recognize", fault="format"), (500, 8511)),
    (ended("prompt-failed", fault="format"), (400, 8535)),
    (ended("prompt-failed", fault="unreachable"), (400, 8536)),
    (ended("prompt-failed", fault="status", http_status=404), (400, 8536)),
    (ended("prompt-failed", fault="empty-text"), (400, 8582)),
    (ended("prompt-failed", fault="voice"), (400, 8565)),
    (ended("prompt-failed", fault="speech-refused", http_status=400), (400, 8565)),
    (ended("prompt-failed", fault="speech-refused", http_status=401), (401, 8565)),
    (ended("prompt-failed", fault="speech-refused", http_status=403), (403, 8565)),
    (ended("prompt-failed", fault="speech-refused", http_status=408), (408, 8565)),
    (ended("prompt-failed", fault="speech-refused", http_status=429), (429, 8565)),
    (ended("prompt-failed", fault="shut-down"), (500, 8572)),
    (ended("prompt-failed", fault="internal"), (500, 9999)),
    (ended("stream-failed", "startTranscription"), (500, 8578)),
    (ended("stream-failed", "startMediaStreaming"), (500, 8603)),
    (ended("recognizer-failed", "startTranscription", http_status=401), (401, 8565)),
]
"""The pairs of the wire notes, section 6."""


@pytest.mark.parametrize(("fact", "pair"), DOCUMENTED, ids=lambda value: str(value)[:60])
def test_every_documented_pair_comes_of_its_cause(fact: OperationEnded, pair: tuple[int, int]) -> None:
    result = result_of(fact)
    assert (result.code, result.subcode) == pair


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("operation", ["play", "recognize", "startTranscription", "hold"])
def test_every_end_has_a_page_or_is_a_success(how: OperationEnd, operation: str) -> None:
    for fault in FAULTS:
        fact = ended(how, operation, fault=fault)
        ending = ending_of(fact)
        assert bool(ending) is (how not in SUCCESSES)
        assert not ending or ending in pages()
        assert result_of(fact).ending == ending


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_a_prompt_has_a_page(fault: PromptFault) -> None:
    assert page(prompt_ending(fault)).front.events


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 418, 429, 500, 503, None])
def test_a_refusal_of_a_speech_endpoint_follows_its_status(status: int | None) -> None:
    ending = prompt_ending("speech-refused", status)
    front = page(ending).front
    if status in {400, *BY_STATUS}:
        assert (front.code, front.subcode) == (status, 8565)
    else:
        assert ending == ("speech-engine-down" if status in {500, 503} else "speech-request-refused")


def test_codes_of_successes_are_published() -> None:
    for result in SUCCESSES.values():
        assert find_all(result.code, result.subcode) or find_all(None, result.subcode), result
        assert result.code == 200
        assert result.ending == ""


def test_subcodes_of_operations_are_published_even_where_the_code_is_ours() -> None:
    for found in pages().values():
        if found.front.events:
            front = found.front
            assert find_all(front.code, front.subcode) or find_all(None, front.subcode), found.id


def test_the_message_says_what_was_wrong_and_ends_as_a_sentence() -> None:
    told = result_of(ended("prompt-failed", fault="format", detail="an MP3 file of 44,100 Hz."))
    assert told.message == (
        "Action failed, the prompt is no WAV file of mono 16-bit PCM at 16 kHz: an MP3 file of 44,100 Hz."
    )
    bare = result_of(ended("prompt-failed", fault="format"))
    assert bare.message == "Action failed, the prompt is no WAV file of mono 16-bit PCM at 16 kHz."


def test_no_message_keeps_a_mark_of_the_template_or_a_line_of_a_stranger() -> None:
    for how in ENDS:
        message = result_of(ended(how, detail="first\r\nsecond" + "x" * 500)).message
        assert not re.search(r"[{}\r\n]", message)
        assert len(message) < 320


def test_what_goes_well_and_what_is_cancelled_is_no_failure() -> None:
    for how in ENDS:
        failed = failed_operations([ended(how)])
        assert bool(failed) is (how not in NO_FAILURE), how
    assert judge_operation([ended("done")], "a1") is None
    cancelled = judge_operation([ended("cancelled")], "a1")
    assert cancelled is not None
    assert cancelled.ending == "operation-cancelled"


def test_an_operation_that_runs_or_is_unknown_has_no_verdict() -> None:
    timeline: list[Fact] = [asked("play")]
    assert judge_operation(timeline, "a1") is None
    assert judge_operation([], "a1") is None


def test_the_evidence_of_a_prompt_names_the_request_the_source_and_the_end() -> None:
    timeline: list[Fact] = [
        asked("play"),
        asked("play", "a2"),
        PromptStarted(at=11.0, prompt="a1"),
        PromptStarted(at=11.0, prompt="a10"),
        PromptEnded(
            at=12.0, prompt="a1", how="failed", fault="status", source=1, http_status=404, detail="gone"
        ),
        ended("prompt-failed", fault="status", source=1, http_status=404, detail="gone"),
    ]
    verdict = judge_operation(timeline, "a1")
    assert verdict is not None
    assert (verdict.ending, verdict.code, verdict.subcode) == ("prompt-not-served", 400, 8536)
    assert [proof.fact for proof in verdict.evidence] == [1, 3, 5, 6]
    assert verdict.evidence[2].shows == "source 1 could not be played (status, HTTP 404): gone"
    assert verdict.evidence[3].shows == "the prompt could not be played"
    assert verdict.message == "Action failed, the server of the prompt did not give the file: gone."
    assert (verdict.category, verdict.fault, verdict.confidence) == (
        "UnexpectedClientError",
        "application",
        "high",
    )


def test_the_evidence_of_a_recognize_counts_the_digits_of_its_own_leg() -> None:
    timeline: list[Fact] = [
        DigitHeard(at=9.0, leg="carrier", digit="9"),
        asked("recognize"),
        PromptEnded(at=12.0, prompt="a1.prompt", how="played", played_ms=2300),
        DigitHeard(at=13.0, leg="carrier", digit="1"),
        DigitHeard(at=13.1, leg="other", digit="5"),
        DigitHeard(at=13.2, leg="carrier", digit="2"),
        ended("between-digits", "recognize", leg="carrier", after_seconds=2),
        DigitHeard(at=21.0, leg="carrier", digit="3"),
    ]
    verdict = judge_operation(timeline, "a1")
    assert verdict is not None
    assert [(proof.fact, proof.shows) for proof in verdict.evidence] == [
        (2, "the application asked for it (recognize)"),
        (3, "the prompt was played after 2.3 s"),
        (6, "2 digits had been heard by then"),
        (7, "the time between two digits ran out after 2 s"),
    ]


def test_the_evidence_of_speech_names_what_was_heard_and_how_sure_it_is() -> None:
    timeline: list[Fact] = [
        asked("recognize"),
        SpeechBegan(at=12.0, listening="a1.listen"),
        SpeechHeard(at=12.5, listening="a1.listen", text="per", confidence=0.3, final=False),
        SpeechHeard(at=13.0, listening="a1.listen", text="perhaps", confidence=0.81),
        SpeechHeard(at=13.1, listening="a1.listen", text=""),
        ended("no-match", "recognize", detail="yes, no"),
    ]
    verdict = judge_operation(timeline, "a1")
    assert verdict is not None
    assert [proof.shows for proof in verdict.evidence[1:]] == [
        "somebody began to speak",
        "so far the recogniser heard “per” (confidence 0.30)",
        "the recogniser heard “perhaps” (confidence 0.81)",
        "the recogniser heard no words",
        "what was said matches no choice: yes, no",
    ]


def test_the_evidence_of_a_stream_counts_what_went_through_it() -> None:
    timeline: list[Fact] = [
        asked("startMediaStreaming"),
        StreamChanged(at=11.0, stream="a1", state="opened", url="wss://app.example/audio"),
        StreamChanged(
            at=15.0, stream="a1", state="lost", url="wss://app.example/audio", sent=900, dropped=12
        ),
        StreamChanged(
            at=19.0,
            stream="a1",
            state="failed",
            url="wss://app.example/audio",
            http_status=503,
            detail="down",
        ),
        ended("stream-lost", "startMediaStreaming", detail="3 attempts"),
    ]
    verdict = judge_operation(timeline, "a1")
    assert verdict is not None
    assert verdict.ending == "stream-lost"
    assert [proof.shows for proof in verdict.evidence] == [
        "the application asked for it (startMediaStreaming)",
        "WebSocket wss://app.example/audio opened",
        "WebSocket wss://app.example/audio lost, 900 messages sent, 12 dropped",
        "WebSocket wss://app.example/audio failed, HTTP 503: down",
        "the WebSocket broke and could not be opened again",
    ]


def test_a_recogniser_that_was_refused_is_told_with_its_status() -> None:
    timeline: list[Fact] = [
        ListeningFailed(at=12.0, listening="a1", detail="no key", http_status=401),
        ended("recognizer-failed", "startTranscription", http_status=401, detail="no key"),
    ]
    verdict = judge_operation(timeline, "a1")
    assert verdict is not None
    assert verdict.ending == "speech-sign-in-refused"
    assert verdict.evidence[0].shows == "the recogniser failed with HTTP 401: no key"


def test_failed_operations_come_in_the_order_of_their_ends_and_end_no_call() -> None:
    story = begun().up()
    for how in ("cancelled", "silence", "done"):
        story.add(OperationEnded(at=story.now, action=f"a-{how}", operation="recognize", how=how))
    story.add(ended("prompt-failed", fault="format"))
    timeline = story.wait(2).bye("received").bye_ok("sent").facts
    assert judge(timeline).ending == "hung-up-by-phone"
    assert [verdict.ending for _, verdict in failed_operations(timeline)] == [
        "recognize-no-input",
        "prompt-format",
    ]


def test_an_end_that_no_other_fact_explains_tells_its_detail() -> None:
    fact = ended("prompt-failed", fault="uri", http_status=None, detail="ftp is not allowed")
    verdict = judge_operation([asked("play"), fact], "a1")
    assert verdict is not None
    assert verdict.evidence[-1].shows == "the prompt could not be played: ftp is not allowed"


@pytest.mark.parametrize(
    ("how", "fault", "ending"),
    [
        ("internal", "", "operation-fault"),
        ("prompt-failed", "", "operation-fault"),
        ("prompt-failed", "internal", "operation-fault"),
        ("prompt-failed", "too-slow", "prompt-unreachable"),
        ("prompt-failed", "unreachable", "prompt-unreachable"),
        ("speech-too-slow", "", "recognize-speech-too-slow"),
    ],
)
def test_ends_that_share_a_page_with_others(how: OperationEnd, fault: PromptFault, ending: str) -> None:
    operation = "recognize" if how == "speech-too-slow" else "play"
    assert ending_of(ended(how, operation, fault=fault)) == ending

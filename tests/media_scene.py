"""A connected call driven by hand whose application asks for media, and whose media tells what it likes."""

import copy
from itertools import count, zip_longest
from typing import Any, Self, TypeVar

import msgspec

from call_scene import MAX_SECONDS, SETUP_SECONDS, CallScene
from onhook.acs.identifiers import phone_number
from onhook.acs.models import (
    CommunicationIdentifierModel,
    FileSource,
    PlayOptions,
    PlayRequest,
    PlaySource,
    PlaySourceType,
    RecognizeInputType,
    RecognizeOptions,
    RecognizeRequest,
)
from onhook.acs.operations import OPERATIONS
from onhook.acs.wire import Model
from onhook.calls.call import leg_id
from onhook.calls.features.feature import Operation
from onhook.calls.record import Connection, MediaOptions
from onhook.calls.replay import replay
from onhook.effects import CloseMedia, Effect, MediaEffect, Mix, Record, StartMedia
from onhook.facts import (
    ApiRequested,
    DigitHeard,
    Fact,
    OperationEnded,
    PromptEnded,
    PromptFault,
    PromptStarted,
    SpeechBegan,
    SpeechHeard,
)
from timelines import ANSWER

WITH_DIGITS = ANSWER.replace("RTP/AVP 0", "RTP/AVP 0 101") + "a=rtpmap:101 telephone-event/8000\r\n"
CALLEE, STRANGER = phone_number("+14255550200"), phone_number("+14255550999")
SUCCESS = {operation.name: operation.success[0] for operation in OPERATIONS}
E = TypeVar("E")


def file_source(uri: str = "https://app.example/a.wav") -> PlaySource:
    return PlaySource(kind=PlaySourceType.FILE, file=FileSource(uri=uri))


def play(
    *to: CommunicationIdentifierModel,
    sources: list[PlaySource] | None = None,
    loop: bool = False,
    interrupt: bool | None = None,
    context: str | None = None,
    callback: str | None = None,
) -> PlayRequest:
    return PlayRequest(
        play_sources=[file_source()] if sources is None else sources,
        play_to=list(to),
        play_options=PlayOptions(loop=loop),
        interrupt_call_media_operation=interrupt,
        operation_context=context,
        operation_callback_uri=callback,
    )


def recognize(
    kind: str = "dtmf",
    *,
    prompt: bool = False,
    interrupt_prompt: bool | None = None,
    interrupt: bool | None = None,
    target: CommunicationIdentifierModel = CALLEE,
    context: str | None = None,
    **options: Any,
) -> RecognizeRequest:
    """`options` are those of recognizeOptions, in the words of the models."""
    return RecognizeRequest(
        recognize_input_type=RecognizeInputType(kind),
        play_prompt=file_source() if prompt else None,
        interrupt_call_media_operation=interrupt,
        recognize_options=RecognizeOptions(
            target_participant=target, interrupt_prompt=interrupt_prompt, **options
        ),
        operation_context=context,
    )


class MediaScene(CallScene):
    """`asked_of_media` holds the media effects in order, but those of RTP itself."""

    def __init__(self, answer: str = WITH_DIGITS, **changes: Any) -> None:
        super().__init__(**changes)
        self._answer = answer
        self.asked_of_media: list[MediaEffect] = []
        self.everything: list[Effect] = []
        self._actions = count(1)
        self.asked_so_far = 0
        self.connected()
        self.events.clear()
        self.asked_of_media.clear()

    def connected(self) -> Self:
        return self.place().gets(180).gets(200, body=self._answer)

    @property
    def leg(self) -> str:
        """The telephone's."""
        return leg_id(self.call.record)

    @property
    def room(self) -> str:
        return self.call.record.id

    def ask(
        self, name: str, request: Model | None = None, *, by: Connection | None = None, about: str = ""
    ) -> str:
        """The application asks; the action. Raises ApiError as the switch would answer it."""
        self.asked_so_far = next(self._actions)
        action = f"a{self.asked_so_far}"
        connection = by or self.call.connections[0]
        operation = Operation(name, connection, request, action, about=about)
        self.call.feature_for(name).check(operation)
        body = msgspec.json.encode(request) if request is not None else b""
        fact = ApiRequested(
            at=self.now,
            operation=name,
            status=SUCCESS[name],
            connection=connection.id,
            body=body,
            action=action,
            detail=about,
        )
        self.do(self.call.operate(fact, operation))
        return action

    def plays(self, request: PlayRequest | None = None, *, by: Connection | None = None) -> str:
        return self.ask("play", request or play(), by=by)

    def recognizes(self, kind: str = "dtmf", *, by: Connection | None = None, **options: Any) -> str:
        return self.ask("recognize", recognize(kind, **options), by=by)

    def tells(self, fact: Fact) -> Self:
        self.do(self.call.media_seen(fact))
        return self

    def starts(self, prompt: str) -> Self:
        return self.tells(PromptStarted(at=self.now, prompt=prompt))

    def ends(self, prompt: str) -> Self:
        return self.tells(PromptEnded(at=self.now, prompt=prompt, how="played", played_ms=1000))

    def breaks(self, prompt: str, fault: PromptFault = "format", source: int = 0) -> Self:
        return self.tells(
            PromptEnded(
                at=self.now, prompt=prompt, how="failed", fault=fault, source=source, detail="it is an MP3"
            )
        )

    def presses(self, *digits: str, leg: str = "") -> Self:
        for digit in digits:
            self.tells(DigitHeard(at=self.now, leg=leg or self.leg, digit=digit))
        return self

    def begins_to_speak(self, action: str) -> Self:
        return self.tells(SpeechBegan(at=self.now, leg=self.leg, listening=f"{action}.ear"))

    def says(self, action: str, text: str, *, final: bool = True) -> Self:
        return self.tells(
            SpeechHeard(
                at=self.now,
                leg=self.leg,
                listening=f"{action}.ear",
                text=text,
                confidence=0.75 if text else 0.0,
                final=final,
            )
        )

    def joins(self, name: str = "second", media_options: MediaOptions | None = None) -> Connection:
        """Another application connects, which makes the call a group."""
        user = f"8:acs:0d0e0f00-0000-4000-8000-000000000001_{name}"
        connection = Connection(
            id=name,
            leg=name,
            resource="dev",
            begun_by="connect",
            user=user,
            callback_uri=f"https://{name}.example/events",
            media_options=media_options or MediaOptions(),
            api_version="2026-03-12",
        )
        asked = ApiRequested(at=self.now, operation="connect", status=200, leg=name, connection=name)
        self.do(self.call.join(asked, connection))
        self.events.clear()
        return connection

    def leaves(self, connection: Connection) -> Self:
        """An application hangs up for itself."""
        asked = ApiRequested(at=self.now, operation="hangUp", status=204, connection=connection.id)
        return self.do(self.call.hang_up(asked, connection))

    def do(self, effects: list[Effect]) -> Self:
        self.everything += effects
        for effect in effects:
            if isinstance(effect, MediaEffect) and not isinstance(effect, StartMedia | CloseMedia | Mix):
                self.asked_of_media.append(effect)
        super().do(effects)
        return self

    def effects(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.asked_of_media if isinstance(effect, kind)]

    def check_replay(self) -> None:
        """The facts alone bring forth the same: every message, event and media effect, in order."""
        record = copy.copy(self.begun)
        record.connections = [copy.copy(each) for each in self.call.record.connections]
        _, effects = replay(
            record, self.facts, self.trunk, setup_seconds=SETUP_SECONDS, max_seconds=MAX_SECONDS
        )
        same = [effect for effect in effects if not isinstance(effect, Record)]
        live = [effect for effect in self.everything if not isinstance(effect, Record)]
        for number, (again, effect) in enumerate(zip_longest(same, live)):
            assert again == effect, f"effect {number} of {len(live)}"

    @property
    def ended(self) -> list[tuple[str, str]]:
        """Action and end of each operation that is over, in order."""
        return [(fact.action, fact.how) for fact in self.facts if isinstance(fact, OperationEnded)]

    def told_of(self, number: int = -1) -> dict[str, Any]:
        """The data of an event."""
        return self.events[number].data

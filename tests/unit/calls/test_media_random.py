"""Any sequence of media operations, and of what media tells: each ends once, and nothing follows the end."""

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from every_event import OPTIONS
from media_scene import CALLEE, MediaScene, file_source, play, recognize
from onhook.acs.errors import ApiError
from onhook.acs.models import (
    Choice,
    ContinuousDtmfRecognitionRequest,
    DtmfOptions,
    HoldRequest,
    SendDtmfTonesRequest,
    StartCallRecordingRequest,
    Tone,
    UnholdRequest,
)
from onhook.acs.wire import Model
from onhook.calls.record import Connection
from onhook.effects import (
    CloseStream,
    Listen,
    OpenStream,
    PlayPrompt,
    Record,
    SendDigits,
    StartRecording,
    StopListening,
    StopPrompt,
    StopRecording,
)
from onhook.facts import (
    DigitHeard,
    DigitsSent,
    Fact,
    ListeningFailed,
    OperationEnded,
    PromptEnded,
    PromptStarted,
    RecordingChanged,
    SpeechBegan,
    SpeechHeard,
    StreamChanged,
)

CHOICES = [
    Choice(label="a", phrases=["Alpha"], tone=Tone.ONE),
    Choice(label="b", phrases=["Beta"], tone=Tone.TWO),
]
KEYS = ContinuousDtmfRecognitionRequest(target_participant=CALLEE)
RECORD = StartCallRecordingRequest(call_connection_id="x", recording_state_callback_uri="https://a.example/r")
REQUESTS: list[tuple[str, Model | None]] = [
    ("play", play()),
    ("play", play(loop=True)),
    ("play", play(interrupt=True)),
    ("play", play(CALLEE)),
    ("play", play(CALLEE, interrupt=True)),
    ("recognize", recognize(dtmf_options=DtmfOptions(max_tones_to_collect=2, stop_tones=[Tone.POUND]))),
    ("recognize", recognize(prompt=True, interrupt_prompt=False)),
    ("recognize", recognize("speech", prompt=True)),
    ("recognize", recognize("speechOrDtmf", interrupt=True)),
    ("recognize", recognize("choices", prompt=True, choices=CHOICES)),
    ("cancelAllMediaOperations", None),
    ("sendDtmfTones", SendDtmfTonesRequest(tones=[Tone.ONE], target_participant=CALLEE)),
    ("startContinuousDtmfRecognition", KEYS),
    ("stopContinuousDtmfRecognition", KEYS),
    ("hold", HoldRequest(target_participant=CALLEE, play_source_info=file_source())),
    ("unhold", UnholdRequest(target_participant=CALLEE)),
    ("startMediaStreaming", None),
    ("stopMediaStreaming", None),
    ("startTranscription", None),
    ("stopTranscription", None),
    ("startRecording", RECORD),
    ("stopRecording", None),
    ("pauseRecording", None),
    ("resumeRecording", None),
]
ONCE = {"play", "recognize", "sendDtmfTones", "startRecording"}
"""Operations that end by themselves, each with one terminal event or state."""
TERMINAL = {
    "play": {"PlayCompleted", "PlayFailed", "PlayCanceled"},
    "recognize": {"RecognizeCompleted", "RecognizeFailed", "RecognizeCanceled"},
    "sendDtmfTones": {"SendDtmfTonesCompleted", "SendDtmfTonesFailed"},
}

Step: TypeAlias = tuple[str, int]
KINDS = ("ask", "ask", "ask", "ask by the other", "prompt", "prompt", "ear", "other", "digit", "wait", "apps")
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 10_000)), max_size=40)


class Player:
    """Plays steps on a scene; `accepted` holds action and name of what was not refused."""

    def __init__(self) -> None:
        self.scene = MediaScene(media_options=OPTIONS)
        self.second: Connection | None = None
        self.accepted: list[tuple[str, str]] = []
        self.recording = ""
        self.refused: list[int] = []

    def play(self, steps: list[Step]) -> None:
        for kind, number in steps:
            self._step(kind, number)
        self.scene.asked("BYE")
        self.scene.wait(1)
        if self.scene.call.open_connections:
            self.scene.do(self.scene.call.hang_up(self.scene.request("terminate")))
        self.scene.wait(200)

    def _step(self, kind: str, number: int) -> None:
        scene = self.scene
        match kind:
            case "ask":
                self._ask(number, scene.call.connections[0])
            case "ask by the other" if self.second is not None:
                self._ask(number, self.second)
            case "prompt":
                self._tell(PlayPrompt, number, _of_prompt)
            case "ear":
                self._tell(Listen, number, _of_listening)
            case "other":
                kinds = (OpenStream, StartRecording, SendDigits)
                self._tell(kinds[number % 3], number // 3, _of_capture)
            case "digit":
                scene.tells(DigitHeard(at=scene.now, leg=scene.leg, digit="12#A"[number % 4]))
            case "wait":
                scene.wait((0.1, 1, 3, 6, 61)[number % 5])
            case "apps":
                self._come_or_go()
            case _:
                pass

    def _ask(self, number: int, by: Connection) -> None:
        name, request = REQUESTS[number % len(REQUESTS)]
        about = self.recording if name.endswith("Recording") and name != "startRecording" else ""
        if by.ended_at is not None:
            return
        try:
            action = self.scene.ask(name, request, by=by, about=about)
        except ApiError as refused:
            self.refused.append(refused.status)
            return
        self.accepted.append((action, name))
        if name == "startRecording":
            self.recording = action

    def _come_or_go(self) -> None:
        if self.second is None:
            told = list(self.scene.events)
            self.second = self.scene.joins()
            self.scene.events[:0] = told
        elif self.second.ended_at is None:
            self.scene.leaves(self.second)

    def _tell(self, kind: type[Any], number: int, make: Callable[[float, Any, int], Fact]) -> None:
        known = self.scene.effects(kind)
        if known:
            self.scene.tells(make(self.scene.now, known[number % len(known)], number // max(len(known), 1)))


def _of_prompt(at: float, prompt: PlayPrompt, number: int) -> Fact:
    if number % 4 == 0:
        return PromptStarted(at=at, prompt=prompt.id)
    how = ("played", "failed", "stopped")[number % 3]
    return PromptEnded(at=at, prompt=prompt.id, how=how, fault="format" if how == "failed" else "")  # type: ignore[arg-type]  # one of them


def _of_listening(at: float, listen: Listen, number: int) -> Fact:
    if number % 5 == 0:
        return SpeechBegan(at=at, leg=listen.leg, listening=listen.id)
    if number % 5 == 1:
        return ListeningFailed(at=at, leg=listen.leg, listening=listen.id, detail="down")
    text = ("Alpha", "", "something else")[number % 3]
    return SpeechHeard(at=at, leg=listen.leg, listening=listen.id, text=text, final=number % 2 == 0)


def _of_capture(at: float, effect: Any, number: int) -> Fact:
    if isinstance(effect, OpenStream):
        states = ("opened", "failed", "lost", "reopened", "closed")
        return StreamChanged(at=at, stream=effect.id, state=states[number % 5])  # type: ignore[arg-type]  # one of them
    if isinstance(effect, StartRecording):
        changes = ("active", "inactive", "failed", "closed")
        return RecordingChanged(at=at, recording=effect.id, state=changes[number % 4])  # type: ignore[arg-type]  # one of them
    return DigitsSent(at=at, action=effect.id, digits="1", fault="none" if number % 2 else "")


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_any_story(steps: list[Step]) -> None:
    player = Player()
    player.play(steps)
    assert set(player.refused) <= {400, 404, 405, 409, 412}
    _each_ends_once(player)
    _nothing_after_the_end(player)
    _one_prompt_to_all_at_a_time(player)
    _media_is_left_with_nothing(player)
    player.scene.check_replay()


def _each_ends_once(player: Player) -> None:
    ended = Counter(fact.action for fact in player.scene.facts if isinstance(fact, OperationEnded))
    for action, name in player.accepted:
        if name in ONCE:
            assert ended[action] == 1, (name, action)
        else:
            assert ended[action] <= 1, (name, action)
    told = Counter(event.type for event in player.scene.events)
    for name, terminal in TERMINAL.items():
        assert sum(told[kind] for kind in terminal) == sum(each == name for _, each in player.accepted)


def _nothing_after_the_end(player: Player) -> None:
    over: set[str] = set()
    for event in player.scene.events:
        assert event.connection not in over, event
        if event.type == "CallDisconnected":
            over.add(event.connection)


def _one_prompt_to_all_at_a_time(player: Player) -> None:
    """Of one application; and those that wait begin in the order in which they were accepted."""
    facts = player.scene.facts
    owners = {fact.action: fact.connection for fact in facts if isinstance(fact, OperationEnded)}
    playing: dict[str, str] = {}
    last: dict[str, int] = {}
    for effect in player.scene.everything:
        if isinstance(effect, PlayPrompt) and not effect.legs:
            action = effect.id.partition(".")[0]
            owner = owners[action]
            assert owner not in playing, f"{action} beside {playing.get(owner)}"
            playing[owner] = action
            assert int(action[1:]) > last.get(owner, 0)
            last[owner] = int(action[1:])
        elif isinstance(effect, Record) and isinstance(effect.fact, OperationEnded):
            fact = effect.fact
            if playing.get(fact.connection) == fact.action:
                del playing[fact.connection]


BEGINS = (PlayPrompt, Listen, OpenStream, StartRecording)
STOPS: dict[type[Any], type[Any]] = {
    StopPrompt: PlayPrompt,
    StopListening: Listen,
    CloseStream: OpenStream,
    StopRecording: StartRecording,
}


def _media_is_left_with_nothing(player: Player) -> None:
    """Whatever was begun ended by itself or was stopped; and nothing is stopped that is over."""
    begun: set[tuple[type[Any], str]] = set()
    for effect in player.scene.everything:
        if isinstance(effect, BEGINS):
            begun.add((type(effect), effect.id))
        elif type(effect) in STOPS:
            begun.remove((STOPS[type(effect)], effect.id))  # type: ignore[union-attr]  # all of these have one
        elif isinstance(effect, Record):
            begun.discard(_ended(effect.fact))
    assert not begun


def _ended(fact: Fact) -> tuple[type[Any], str]:
    """What is over by this fact, if anything is."""
    match fact:
        case PromptEnded():
            return PlayPrompt, fact.prompt
        case SpeechHeard(final=True) | ListeningFailed():
            return Listen, fact.listening
        case StreamChanged(state="failed" | "closed"):
            return OpenStream, fact.stream
        case RecordingChanged(state="failed" | "closed"):
            return StartRecording, fact.recording
        case _:
            return object, ""

"""Recognize: a prompt, and what a participant answers: digits, speech, or one of several choices.

Time for the first input runs from the end of the prompt (documented in the specification). Digits end with
the most that were asked for, a stop tone (which is not among the result's tones, assumed), or a pause. When a
pause ends them they are told by RecognizeCompleted with 400/8532: the later how-tos list it there, the one of
2022 lists it with RecognizeFailed, which has no place for the digits.

Assumed: while the prompt may not be interrupted input does not count; speech locks digits out once words were
heard, so that a cough does not; a tone or a phrase of no choice ends a recognition of choices at once; the
phrase of a choice made by its key is absent.
"""

from typing import TYPE_CHECKING

from onhook.acs.models import (
    ChoiceResult,
    DtmfResult,
    RecognitionType,
    RecognizeCanceled,
    RecognizeCompleted,
    RecognizeFailed,
    RecognizeInputType,
    RecognizeRequest,
    SpeechResult,
    Tone,
)
from onhook.calls.features.feature import Operation
from onhook.calls.features.media_operation import MediaOperation, Outcomes
from onhook.calls.features.recognize_inputs import (
    BeginInterruptible,
    BeginProtected,
    BeginUnprompted,
    ChoiceSaid,
    ChoiceTone,
    Ending,
    GapExpired,
    LastTone,
    NoChoiceSaid,
    NotUnderstood,
    PromptBroke,
    PromptCut,
    PromptPlayed,
    RecognizeState,
    SilenceExpired,
    SpeechExpired,
    StopTone,
    ToneCounted,
    Understood,
    WrongTone,
)
from onhook.calls.features.recognize_plan import plan_of
from onhook.calls.features.tones import TONES
from onhook.effects import Listen, PlayPrompt, StopListening, StopPrompt
from onhook.endings.operations import SUCCESSES
from onhook.facts import (
    DigitHeard,
    Fact,
    ListeningFailed,
    OperationEnd,
    PromptEnded,
    SpeechBegan,
    SpeechHeard,
)
from onhook.machine import Machine, Outputs, nothing, rows

if TYPE_CHECKING:
    from onhook.calls.host import Host

SPEECH_SECONDS = 60.0
"""How long one may speak, and the recogniser think; a limit of ours."""
STOPPED = "media ended the prompt"


W, P, I, L, C, H = list(RecognizeState)[:6]  # noqa: E741  # short names make the table readable
OVER = RecognizeState.OVER


class Recognize(MediaOperation, Machine[RecognizeState]):
    """A recognition, from its acceptance to RecognizeCompleted, RecognizeFailed or RecognizeCanceled."""

    OUTCOMES = Outcomes(RecognizeCompleted, RecognizeFailed, RecognizeCanceled)
    COMPLETED = frozenset({*SUCCESSES, "between-digits"})

    def __init__(self, call: "Host", asked: Operation, request: RecognizeRequest) -> None:
        """Raises ApiError where it names nobody, or does not fit together."""
        target = request.recognize_options.target_participant
        self._leg = call.participant(target, "$.recognizeOptions.targetParticipant").id
        super().__init__(call, asked, (self._leg,))
        self.on_main_leg = not call.legs.group
        self.state = RecognizeState.WAITING
        self._plan = plan_of(request)
        self._tones: list[Tone] = []
        self._worded = False  # words were heard
        self._prompts = self._listens = False
        self._clock: tuple[type[SilenceExpired | GapExpired | SpeechExpired], float] | None = None

    # What comes in

    def begin(self) -> Outputs:
        if not self._plan.sources:
            return self.handle(BeginUnprompted())
        return self.handle(BeginInterruptible() if self._plan.interruptible else BeginProtected())

    def stop(self) -> Outputs:
        return self.handle(Ending())

    def take(self, fact: Fact) -> Outputs:
        received = self._read(fact)
        return self.handle(received) if received is not None and self.accepts(type(received)) else []

    @property
    def deadline(self) -> float | None:
        return self._clock[1] if self._clock else None

    def handle_timeout(self) -> Outputs:
        if self._clock is None:
            return []
        (expired, _), self._clock = self._clock, None
        return self.handle(expired())

    def _read(self, fact: Fact) -> object:
        """What a fact means for this recognition; None if nothing."""
        match fact:
            case PromptEnded(how="played"):
                return PromptPlayed()
            case PromptEnded(how="failed"):
                return PromptBroke(fact)
            case PromptEnded():
                return PromptCut()
            case DigitHeard():
                return self._read_tone(TONES.get(fact.digit))
            case SpeechHeard() if self._listens:
                return self._read_speech(fact)
            case SpeechBegan() | ListeningFailed() if self._listens:
                return fact
            case _:
                return None  # of the prompt's begin, and of a recogniser that was told to stop

    def _read_tone(self, tone: Tone | None) -> object:
        plan = self._plan
        locked = (
            self._worded and plan.kind is RecognizeInputType.SPEECH_OR_DTMF
        )  # documented: first kind wins
        if tone is None or locked or not plan.takes_tones:
            return None
        if plan.kind is RecognizeInputType.CHOICES:
            choice = plan.choice_of(tone)
            return WrongTone(tone) if choice is None else ChoiceTone(choice)
        if tone in plan.stop_tones:
            return StopTone()
        last = plan.max_tones is not None and len(self._tones) + 1 >= plan.max_tones
        return LastTone(tone) if last else ToneCounted(tone)

    def _read_speech(self, fact: SpeechHeard) -> object:
        self._worded = self._worded or bool(fact.text)
        if not fact.final:
            return SpeechBegan(at=fact.at, leg=fact.leg, listening=fact.listening)
        self._listens = False  # a recogniser stops by itself after an utterance
        if self._plan.kind is not RecognizeInputType.CHOICES:
            return Understood(fact) if fact.text.strip() else NotUnderstood()
        said = self._plan.choice_said(fact.text)
        return NoChoiceSaid(fact.text) if said is None else ChoiceSaid(*said, fact.confidence)

    # Prompt and first input

    def prompt(self, _: BeginProtected | BeginInterruptible) -> Outputs:
        self._prompts = True
        return [
            PlayPrompt(
                f"{self.action}.prompt",
                self.call.record.id,
                self._plan.sources,
                legs=() if self.on_main_leg else (self._leg,),
                speech_endpoint=self._speech_endpoint,
            )
        ]

    def prompt_and_listen(self, begun: BeginInterruptible) -> Outputs:
        return [*self.prompt(begun), *self._listen()]

    def listen(self, _: PromptPlayed | BeginUnprompted) -> Outputs:
        self._prompts = False
        self._set(SilenceExpired, self._plan.silence_seconds)
        return [] if self._listens else self._listen()

    def _listen(self) -> Outputs:
        plan = self._plan
        if not plan.takes_speech:
            return []
        self._listens = True
        return [
            Listen(
                f"{self.action}.ear",
                self.call.record.id,
                self._leg,
                language=plan.language,
                phrases=plan.phrases,
                end_silence_ms=plan.end_silence_ms,
                model=plan.model,
                speech_endpoint=self._speech_endpoint,
            )
        ]

    @property
    def _speech_endpoint(self) -> str:
        return self.asked.connection.media_options.speech_endpoint

    def _set(self, expired: type[SilenceExpired | GapExpired | SpeechExpired], seconds: float) -> None:
        self._clock = expired, self.call.now + seconds

    def collect(self, counted: ToneCounted) -> Outputs:
        self._tones.append(counted.tone)
        self._set(GapExpired, self._plan.gap_seconds)
        return [*self._end_prompt(), *self._end_listening()]

    def hear(self, _: SpeechBegan) -> Outputs:
        self._set(SpeechExpired, SPEECH_SECONDS)
        return self._end_prompt()

    # How it ends

    def _end_prompt(self) -> Outputs:
        prompts, self._prompts = self._prompts, False
        return [StopPrompt(f"{self.action}.prompt")] if prompts else []

    def _end_listening(self) -> Outputs:
        listens, self._listens = self._listens, False
        return [StopListening(f"{self.action}.ear")] if listens else []

    def quiet(self, _: Ending) -> Outputs:
        self._clock = None
        return [*self._end_prompt(), *self._end_listening()]

    def _end(self, how: OperationEnd, fields: dict[str, object] | None = None, **about: object) -> Outputs:
        return [*self.quiet(Ending()), *self.finish(how, fields, **about)]

    @property
    def _collected(self) -> dict[str, object]:
        return {"recognition_type": RecognitionType.DTMF, "dtmf_result": DtmfResult(tones=self._tones)}

    def complete(self, last: LastTone) -> Outputs:
        self._tones.append(last.tone)
        return self._end("max-digits", self._collected)

    def stop_collecting(self, _: StopTone) -> Outputs:
        return self._end("stop-tone", self._collected)

    def end_by_pause(self, _: GapExpired) -> Outputs:
        gap = self._plan.gap_seconds
        detail = f"{gap} s passed after {len(self._tones)} digits"
        return self._end("between-digits", self._collected, detail=detail, after_seconds=gap)

    def choose(self, chosen: ChoiceTone) -> Outputs:
        result = ChoiceResult(label=chosen.choice.label)
        return self._end(
            "digit-choice", {"recognition_type": RecognitionType.CHOICES, "choice_result": result}
        )

    def choose_by_voice(self, said: ChoiceSaid) -> Outputs:
        result = ChoiceResult(
            label=said.choice.label, recognized_phrase=said.phrase, confidence=said.confidence
        )
        return self._end(
            "speech-choice", {"recognition_type": RecognitionType.CHOICES, "choice_result": result}
        )

    def understand(self, understood: Understood) -> Outputs:
        fact = understood.fact
        result = SpeechResult(speech=fact.text, confidence=fact.confidence)
        return self._end("speech", {"recognition_type": RecognitionType.SPEECH, "speech_result": result})

    def fail_choice(self, wrong: WrongTone) -> Outputs:
        return self._end("wrong-digit", detail=f"{wrong.tone.value} is the tone of no choice")

    def fail_match(self, said: NoChoiceSaid) -> Outputs:
        detail = (
            f"“{said.text}” has the phrase of no choice" if said.text else "no phrase of a choice was heard"
        )
        return self._end("no-match", detail=detail)

    def fail_understanding(self, _: NotUnderstood) -> Outputs:
        return self._end("not-understood")

    def fail_silent(self, _: SilenceExpired) -> Outputs:
        seconds = self._plan.silence_seconds
        return self._end("silence", detail=f"{seconds} s passed", after_seconds=seconds)

    def fail_slow(self, _: SpeechExpired) -> Outputs:
        return self._end(
            "speech-too-slow", detail=f"{SPEECH_SECONDS:g} s passed", after_seconds=SPEECH_SECONDS
        )

    def fail_recognizer(self, failed: ListeningFailed) -> Outputs:
        self._listens = False
        return self._end("recognizer-failed", detail=failed.detail, http_status=failed.http_status)

    def fail_prompt(self, broke: PromptBroke) -> Outputs:
        self._prompts, fact = False, broke.fact
        return self._end(
            "prompt-failed",
            {"failed_play_source_index": fact.source},
            fault=fact.fault,
            source=fact.source,
            detail=fact.detail,
            http_status=fact.http_status,
        )

    def cut_off(self, _: PromptCut) -> Outputs:
        self._prompts = False
        return self._end("cut-off", detail=STOPPED)

    TABLE = {
        (W, BeginProtected): (P, prompt),
        (W, BeginInterruptible): (I, prompt_and_listen),
        (W, BeginUnprompted): (L, listen),
        **dict.fromkeys(rows([P, I], PromptPlayed), (L, listen)),
        **dict.fromkeys(rows([P, I], PromptBroke), (OVER, fail_prompt)),
        **dict.fromkeys(rows([P, I], PromptCut), (OVER, cut_off)),
        **dict.fromkeys(rows([I, L, C, H], ToneCounted), (C, collect)),
        **dict.fromkeys(rows([I, L, C, H], LastTone), (OVER, complete)),
        **dict.fromkeys(rows([I, L, C, H], StopTone), (OVER, stop_collecting)),
        **dict.fromkeys(rows([I, L, H], ChoiceTone), (OVER, choose)),
        **dict.fromkeys(rows([I, L, H], WrongTone), (OVER, fail_choice)),
        **dict.fromkeys(rows([I, L], SpeechBegan), (H, hear)),
        **dict.fromkeys(rows([I, L, H], Understood), (OVER, understand)),
        **dict.fromkeys(rows([I, L, H], NotUnderstood), (OVER, fail_understanding)),
        **dict.fromkeys(rows([I, L, H], ChoiceSaid), (OVER, choose_by_voice)),
        **dict.fromkeys(rows([I, L, H], NoChoiceSaid), (OVER, fail_match)),
        **dict.fromkeys(rows([I, L, H], ListeningFailed), (OVER, fail_recognizer)),
        (L, SilenceExpired): (OVER, fail_silent),
        (C, GapExpired): (OVER, end_by_pause),
        (H, SpeechExpired): (OVER, fail_slow),
        (W, Ending): (OVER, nothing),
        **dict.fromkeys(rows([P, I, L, C, H], Ending), (OVER, quiet)),
    }

"""What a recognize request asks for, checked and with defaults.

Defaults are documented (Microsoft, gather user input): 5 s for the first input, 2 s between digits, 0.5 s of
silence after speech, en-US, and a prompt that input may interrupt. The SDKs fill in values of their own
(validated): Python never interrupts the prompt unless told to, JavaScript waits for 2 s of silence.

Documented maxima that are not enforced: 20 s for the first input of choices and speech. Microsoft's own
samples go beyond them.
"""

import re

import msgspec

from onhook.acs.errors import ApiError, invalid_body
from onhook.acs.models import (
    Choice,
    DtmfOptions,
    PlaySource,
    RecognizeInputType,
    RecognizeOptions,
    RecognizeRequest,
    Tone,
)
from onhook.calls.features.sources import audio_sources
from onhook.effects import AudioSource

FIRST_INPUT_SECONDS = 5
BETWEEN_TONES_SECONDS = 2
END_SILENCE_MS = 500
LANGUAGE = "en-US"
MAX_TONES = 1000
MAX_CHOICES = 100
MAX_PHRASES = 1000
"""Of all choices together. These three are limits of ours."""
MAX_END_SILENCE_MS = 60_000

_NO_WORD = re.compile(r"[^\w']+")


class RecognizePlan(msgspec.Struct, frozen=True, kw_only=True):
    kind: RecognizeInputType
    sources: tuple[AudioSource, ...] = ()
    interruptible: bool = True
    """Does input count, and end the prompt, while the prompt plays?"""
    silence_seconds: int = FIRST_INPUT_SECONDS
    gap_seconds: int = BETWEEN_TONES_SECONDS
    max_tones: int | None = None
    stop_tones: tuple[Tone, ...] = ()
    choices: tuple[Choice, ...] = ()
    language: str = LANGUAGE
    model: str = ""
    end_silence_ms: int = END_SILENCE_MS

    @property
    def takes_tones(self) -> bool:
        if self.kind is RecognizeInputType.CHOICES:
            return any(choice.tone is not None for choice in self.choices)
        return self.kind is not RecognizeInputType.SPEECH

    @property
    def takes_speech(self) -> bool:
        if self.kind is RecognizeInputType.CHOICES:
            return bool(self.phrases)
        return self.kind is not RecognizeInputType.DTMF

    @property
    def phrases(self) -> tuple[str, ...]:
        return tuple(phrase for choice in self.choices for phrase in choice.phrases)

    def choice_of(self, tone: Tone) -> Choice | None:
        return next((choice for choice in self.choices if choice.tone is tone), None)

    def choice_said(self, text: str) -> tuple[Choice, str] | None:
        """The choice with the longest phrase that is in what was said, and that phrase."""
        said = f" {_plain(text)} "
        found = [
            (choice, phrase)
            for choice in self.choices
            for phrase in choice.phrases
            if _plain(phrase) and f" {_plain(phrase)} " in said
        ]
        return max(found, key=lambda each: len(_plain(each[1])), default=None)


def _plain(text: str) -> str:
    return _NO_WORD.sub(" ", text.casefold()).strip()


def plan_of(request: RecognizeRequest) -> RecognizePlan:
    """Raises ApiError 400/8523 where the request does not fit together (documented; details assumed)."""
    options, kind = request.recognize_options, request.recognize_input_type
    plan = RecognizePlan(
        kind=kind,
        sources=_prompts(request),
        interruptible=options.interrupt_prompt is not False,
        silence_seconds=_given(options.initial_silence_timeout_in_seconds, FIRST_INPUT_SECONDS),
        choices=_choices(options) if kind is RecognizeInputType.CHOICES else (),
        language=options.speech_language or LANGUAGE,
        model=options.speech_recognition_model_endpoint_id or "",
        end_silence_ms=_end_silence(options),
    )
    return plan if options.dtmf_options is None else _with_tones(plan, options.dtmf_options)


def _given(value: int | None, default: int) -> int:
    return default if value is None else value


def _prompts(request: RecognizeRequest) -> tuple[AudioSource, ...]:
    """All of `playPrompts`, else the one `playPrompt`, else none (assumed where both are given)."""
    if request.play_prompts:
        return audio_sources(request.play_prompts, "$.playPrompts")
    alone: list[PlaySource] = [request.play_prompt] if request.play_prompt is not None else []
    if not alone:
        return ()
    try:
        return audio_sources(alone, "$.playPrompt")
    except ApiError as fault:
        raise invalid_body(fault.message, target="$.playPrompt") from None


def _with_tones(plan: RecognizePlan, options: DtmfOptions) -> RecognizePlan:
    most = options.max_tones_to_collect
    if most is not None and not 1 <= most <= MAX_TONES:
        raise invalid_body(
            f"maxTonesToCollect is {most}; give 1 to {MAX_TONES}.",
            target="$.recognizeOptions.dtmfOptions.maxTonesToCollect",
        )
    return msgspec.structs.replace(
        plan,
        gap_seconds=_given(options.inter_tone_timeout_in_seconds, BETWEEN_TONES_SECONDS),
        max_tones=most,
        stop_tones=tuple(options.stop_tones or ()),
    )


def _end_silence(options: RecognizeOptions) -> int:
    given = options.speech_options.end_silence_timeout_in_ms if options.speech_options else None
    if given is not None and not 0 <= given <= MAX_END_SILENCE_MS:
        raise invalid_body(
            f"endSilenceTimeoutInMs is {given}; give 0 to {MAX_END_SILENCE_MS}.",
            target="$.recognizeOptions.speechOptions.endSilenceTimeoutInMs",
        )
    return _given(given, END_SILENCE_MS)


def _choices(options: RecognizeOptions) -> tuple[Choice, ...]:
    """Each is known by its label, its phrases and its tone, and none stands for two."""
    choices, where = options.choices or [], "$.recognizeOptions.choices"
    if not 1 <= len(choices) <= MAX_CHOICES:
        raise invalid_body(f"{len(choices)} choices are given; give 1 to {MAX_CHOICES}.", target=where)
    for number, choice in enumerate(choices):
        if not choice.label or not (choice.phrases or choice.tone):
            raise invalid_body("A choice needs a label, and a phrase or a tone.", target=f"{where}[{number}]")
    tones = [choice.tone for choice in choices if choice.tone is not None]
    if tones and len(tones) != len(choices):  # documented
        raise invalid_body("Either all choices have a tone, or none has.", target=where)
    for name, known in (("label", [choice.label for choice in choices]), ("tone", tones)):
        if len(set(known)) != len(known):
            raise invalid_body(f"Two choices have the same {name}.", target=where)
    if sum(len(choice.phrases) for choice in choices) > MAX_PHRASES:
        raise invalid_body(f"The choices have more than {MAX_PHRASES} phrases.", target=where)
    return tuple(choices)

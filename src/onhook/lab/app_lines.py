"""Lines of scenarios in which the application asks an operation of its call.

    app: play text Press one for sales | interrupt
    app: recognize dtmf 4 | stop # | between 2 s
    app: add +14255550201 | within 10 s

Behind the verb stands what it is about; options follow, each after a |. Every line becomes a request as the
SDKs send it, and is checked when it is read.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from onhook.acs.identifiers import communication_user
from onhook.acs.models import (
    AddParticipantRequest,
    CallIntelligenceOptions,
    CallLocator,
    Choice,
    CommunicationIdentifierModel,
    ContinuousDtmfRecognitionRequest,
    DtmfOptions,
    FileSource,
    HoldRequest,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MuteParticipantsRequest,
    PhoneNumberIdentifierModel,
    PlayOptions,
    PlayRequest,
    PlaySource,
    PlaySourceType,
    RecognizeInputType,
    RecognizeOptions,
    RecognizeRequest,
    RecordingChannelType,
    RecordingContentType,
    RecordingFormatType,
    RemoveParticipantRequest,
    SendDtmfTonesRequest,
    SpeechOptions,
    SsmlSource,
    StartCallRecordingRequest,
    StartMediaStreamingRequest,
    StartTranscriptionRequest,
    StopMediaStreamingRequest,
    StopTranscriptionRequest,
    StreamingTransportType,
    TextSource,
    Tone,
    TransferToParticipantRequest,
    UnholdRequest,
    UpdateTranscriptionRequest,
    WebSocketMediaStreamingOptions,
    WebSocketTranscriptionOptions,
)
from onhook.acs.wire import Model
from onhook.lab.app_steps import AppAsk
from onhook.lab.scenario_lines import Wrong, parse_milliseconds
from onhook.sip.headers import split_list

TONES: Final = dict(zip("0123456789ABCD#*", Tone, strict=True))


class Setting(NamedTuple):
    """What a request is made for: the party meant where a line names none, and the call."""

    party: str
    caller: str = ""
    """The caller id that is shown where a line names none; `as none` names nobody."""
    server_call_id: str = ""


class Options:
    """The options of a line, each taken once; what is left over is wrong."""

    def __init__(self, ask: AppAsk) -> None:
        self._left = list(ask.options)
        self._verb = ask.verb

    def flag(self, name: str) -> bool:
        if name in self._left:
            self._left.remove(name)
            return True
        return False

    def value(self, name: str) -> str:
        """What stands behind `name`; empty if it is not there."""
        return next(iter(self.values(name, 1)), "")

    def values(self, name: str, most: int = 10) -> list[str]:
        found = [option for option in self._left if option.startswith(f"{name} ")][:most]
        for option in found:
            self._left.remove(option)
        return [option.removeprefix(name).strip() for option in found]

    def seconds(self, name: str) -> int | None:
        text = self.value(name)
        if not text:
            return None
        milliseconds = parse_milliseconds(text, f"{name} 5 s")
        if milliseconds % 1000:
            raise Wrong(f"{name} {text} is no whole number of seconds", f"Write {name} 5 s.")
        return milliseconds // 1000

    def done(self) -> None:
        if self._left:
            raise Wrong(
                f"{self._left[0][:40]!r} is no option of {self._verb}",
                f"Write one of {', '.join(VERBS[self._verb].options) or 'none'}.",
            )


Build = Callable[[str, Options, Setting], Model | None]


class Verb(NamedTuple):
    operation: str
    """In acs/operations.py."""
    build: Build
    example: str
    options: tuple[str, ...] = ()


def named(party: str) -> CommunicationIdentifierModel:
    """A party as an application names it: a raw id, or whatever it holds for a number."""
    if party.startswith("8:"):
        return communication_user(party)
    if party.startswith("4:"):
        return CommunicationIdentifierModel(raw_id=party)
    return CommunicationIdentifierModel(phone_number=PhoneNumberIdentifierModel(value=party))


def _party(text: str, setting: Setting) -> CommunicationIdentifierModel:
    if text and not re.fullmatch(r"\+\d{1,20}|8:\S+", text):
        raise Wrong(
            f"{text[:40]!r} names nobody", "Write a number such as +14255550201 or the raw id of a user."
        )
    return named(text or setting.party)


def _someone(text: str, setting: Setting) -> CommunicationIdentifierModel:
    if not text:
        raise Wrong("'' names nobody", "Write a number such as add +14255550201 or the raw id of a user.")
    return _party(text, setting)


def _source(text: str) -> PlaySource:
    kind, _, value = text.partition(" ")
    value = value.strip()
    if not value and kind != "text":
        raise Wrong(f"{text[:40]!r} is no prompt", "Write file https://…, text Press one or ssml <speak>….")
    match kind:
        case "file":
            return PlaySource(kind=PlaySourceType.FILE, file=FileSource(uri=value))
        case "text":
            spoken = TextSource(text=value, voice_name="en-US-JennyNeural")
            return PlaySource(kind=PlaySourceType.TEXT, text=spoken)
        case "ssml":
            return PlaySource(kind=PlaySourceType.SSML, ssml=SsmlSource(ssml_text=value))
        case _:
            raise Wrong(
                f"{text[:40]!r} is no prompt", "Write file https://…, text Press one or ssml <speak>…."
            )


def _tones(text: str) -> list[Tone]:
    if not text or any(digit not in TONES for digit in text):
        raise Wrong(f"{text[:40]!r} are no digits", "Write 0-9, *, # and A-D.")
    return [TONES[digit] for digit in text]


def _play(what: str, options: Options, setting: Setting) -> PlayRequest:
    to = [_party(party, setting) for party in options.values("to")]
    return PlayRequest(
        play_sources=[_source(what), *map(_source, options.values("then"))],
        play_to=to or None,
        interrupt_call_media_operation=options.flag("interrupt") or None,
        play_options=PlayOptions(loop=True) if options.flag("loop") else None,
    )


_RECOGNIZE = re.compile(r"(?:(dtmf) (\d+)|(choices) (.+)|(speech)(?: or dtmf (\d+))?)")


def _recognize(what: str, options: Options, setting: Setting) -> RecognizeRequest:
    matched = _RECOGNIZE.fullmatch(what)
    if matched is None:
        raise Wrong(
            f"{what[:40]!r} cannot be recognized",
            "Write recognize dtmf 4, recognize choices Yes=1 No=2, recognize speech or speech or dtmf 4.",
        )
    _, tones, choices, pairs, speech, or_tones = matched.groups()
    most = tones or or_tones
    stop = options.value("stop")
    digits = DtmfOptions(
        inter_tone_timeout_in_seconds=options.seconds("between"),
        max_tones_to_collect=int(most) if most else None,
        stop_tones=_tones(stop) if stop else None,
    )
    pause = options.value("end silence")
    if choices:
        kind = RecognizeInputType.CHOICES
    elif speech:
        kind = RecognizeInputType.SPEECH_OR_DTMF if or_tones else RecognizeInputType.SPEECH
    else:
        kind = RecognizeInputType.DTMF
    recognize = RecognizeOptions(
        interrupt_prompt=False if options.flag("no barge-in") else None,
        initial_silence_timeout_in_seconds=options.seconds("silence"),
        target_participant=_party(options.value("from"), setting),
        dtmf_options=digits if most else None,
        choices=_choices(pairs) if choices else None,
        speech_options=SpeechOptions(
            end_silence_timeout_in_ms=parse_milliseconds(pause, "end silence 500 ms") if pause else None
        )
        if speech
        else None,
    )
    prompts = [_source(prompt) for prompt in options.values("prompt")]
    return RecognizeRequest(
        recognize_input_type=kind,
        play_prompts=prompts or None,
        interrupt_call_media_operation=options.flag("interrupt") or None,
        recognize_options=recognize,
    )


def _choices(text: str) -> list[Choice]:
    found: list[Choice] = []
    for pair in text.split():
        label, _, tone = pair.partition("=")
        found.append(Choice(label=label, phrases=[label.lower()], tone=_tones(tone)[0] if tone else None))
    return found


def _send_digits(what: str, options: Options, setting: Setting) -> SendDtmfTonesRequest:
    return SendDtmfTonesRequest(tones=_tones(what), target_participant=_party(options.value("to"), setting))


def _listen(what: str, _: Options, setting: Setting) -> ContinuousDtmfRecognitionRequest:
    return ContinuousDtmfRecognitionRequest(target_participant=_party(what, setting))


def _hold(what: str, options: Options, setting: Setting) -> HoldRequest:
    music = options.value("music")
    return HoldRequest(
        target_participant=_party(what, setting), play_source_info=_source(music) if music else None
    )


def _unhold(what: str, _: Options, setting: Setting) -> UnholdRequest:
    return UnholdRequest(target_participant=_party(what, setting))


def _mute(what: str, _: Options, setting: Setting) -> MuteParticipantsRequest:
    return MuteParticipantsRequest(target_participants=[_party(what, setting)])


def _add(what: str, options: Options, setting: Setting) -> AddParticipantRequest:
    return AddParticipantRequest(
        participant_to_add=_someone(what, setting),
        source_caller_id_number=_caller(options, setting),
        invitation_timeout_in_seconds=options.seconds("within"),
    )


def _caller(options: Options, setting: Setting) -> PhoneNumberIdentifierModel | None:
    """The number that is shown to a telephone that is called."""
    caller = options.value("as") or setting.caller
    return PhoneNumberIdentifierModel(value=caller) if caller not in {"", "none"} else None


def _remove(what: str, _: Options, setting: Setting) -> RemoveParticipantRequest:
    return RemoveParticipantRequest(participant_to_remove=_party(what, setting))


def _transfer(what: str, options: Options, setting: Setting) -> TransferToParticipantRequest:
    whom = options.value("whom")
    if not what.startswith("to "):
        raise Wrong(f"{what[:40]!r} names nobody", "Write transfer to +14255550201.")
    return TransferToParticipantRequest(
        target_participant=_someone(what.removeprefix("to "), setting),
        transferee=_party(whom, setting) if whom else None,
        source_caller_id_number=_caller(options, setting),
    )


def _start_recording(what: str, options: Options, setting: Setting) -> StartCallRecordingRequest:
    _nothing(what)
    mixed = not options.flag("unmixed")
    return StartCallRecordingRequest(
        call_locator=CallLocator(server_call_id=setting.server_call_id),
        recording_content_type=RecordingContentType.AUDIO,
        recording_channel_type=RecordingChannelType.MIXED if mixed else RecordingChannelType.UNMIXED,
        recording_format_type=RecordingFormatType.WAV if options.flag("wav") else RecordingFormatType.MP3,
        pause_on_start=options.flag("paused") or None,
        recording_state_callback_uri=options.value("callback") or None,
    )


def _start_transcription(what: str, _: Options, _setting: Setting) -> StartTranscriptionRequest:
    return StartTranscriptionRequest(locale=what or None)


def _update_transcription(what: str, _: Options, _setting: Setting) -> UpdateTranscriptionRequest:
    return UpdateTranscriptionRequest(locale=what or None)


def _bare(request: Callable[[], Model | None]) -> Build:
    def build(what: str, _: Options, _setting: Setting) -> Model | None:
        _nothing(what)
        return request()

    return build


def _nothing(what: str) -> None:
    if what:
        raise Wrong(f"{what[:40]!r} after the verb", "Remove it.")


_TO, _PROMPTS = "to +14255550200", ("prompt text …", "prompt file …")
VERBS: dict[str, Verb] = {
    "play": Verb("play", _play, "text Press one", (_TO, "then file …", "loop", "interrupt")),
    "recognize": Verb(
        "recognize",
        _recognize,
        "dtmf 4 | stop #",
        (*_PROMPTS, "stop #", "between 2 s", "silence 5 s", "end silence 500 ms", "no barge-in", "interrupt",
         "from +14255550200"),
    ),
    "cancel media": Verb("cancelAllMediaOperations", _bare(lambda: None), ""),
    "send digits": Verb("sendDtmfTones", _send_digits, "1234#", (_TO,)),
    "listen for digits": Verb("startContinuousDtmfRecognition", _listen, ""),
    "ignore digits": Verb("stopContinuousDtmfRecognition", _listen, ""),
    "hold": Verb("hold", _hold, "", ("music file …", "music text …")),
    "unhold": Verb("unhold", _unhold, ""),
    "mute": Verb("mute", _mute, ""),
    "add": Verb("addParticipant", _add, "+14255550201", ("as +14255550100", "within 10 s")),
    "remove": Verb("removeParticipant", _remove, "+14255550201"),
    "transfer": Verb(
        "transferToParticipant", _transfer, "to +14255550201", ("whom +14255550200", "as +14255550100")
    ),
    "start recording": Verb("startRecording", _start_recording, "", ("wav", "unmixed", "paused", "callback https://…")),
    "pause recording": Verb("pauseRecording", _bare(lambda: None), ""),
    "resume recording": Verb("resumeRecording", _bare(lambda: None), ""),
    "stop recording": Verb("stopRecording", _bare(lambda: None), ""),
    "start streaming": Verb("startMediaStreaming", _bare(StartMediaStreamingRequest), ""),
    "stop streaming": Verb("stopMediaStreaming", _bare(StopMediaStreamingRequest), ""),
    "start transcription": Verb("startTranscription", _start_transcription, "en-US"),
    "update transcription": Verb("updateTranscription", _update_transcription, "en-GB"),
    "stop transcription": Verb("stopTranscription", _bare(StopTranscriptionRequest), ""),
}  # fmt: skip
ASK_FORMS: Final = tuple(f"app: {verb} {known.example}".rstrip() for verb, known in VERBS.items())
_LONGEST_FIRST: Final = sorted(VERBS, key=len, reverse=True)
_ANYBODY: Final = Setting("+14255550200", server_call_id="server-call")


def request_of(ask: AppAsk, setting: Setting) -> Model | None:
    """The body that the SDK would send; None for an operation without one. Raises Wrong."""
    options = Options(ask)
    built = VERBS[ask.verb].build(ask.what, options, setting)
    options.done()
    return built


def parse_ask(what: str) -> AppAsk | None:
    """Read a line behind `app:`; None if it begins with no verb of an operation. Raises Wrong."""
    verb = next((each for each in _LONGEST_FIRST if what == each or what.startswith(f"{each} ")), None)
    if verb is None:
        return None
    first, *options = piped(what[len(verb) :].strip())
    ask = AppAsk(verb, first, tuple(options))
    request_of(ask, _ANYBODY)
    return ask


def write_ask(ask: AppAsk) -> str:
    what = f" {ask.what}" if ask.what else ""
    return f"app: {ask.verb}{what}{''.join(f' | {option}' for option in ask.options)}"


def piped(text: str) -> Sequence[str]:
    """What stands before the first |, and each option after it; a | in quotes or <> is text."""
    before = [""] if not text or text.startswith("|") else []
    return [*before, *split_list(text, "|")]


class MediaOptions(NamedTuple):
    """What createCall and answerCall say about media."""

    streaming: WebSocketMediaStreamingOptions | None = None
    transcription: WebSocketTranscriptionOptions | None = None
    intelligence: CallIntelligenceOptions | None = None


def media_options(options: Sequence[str]) -> MediaOptions:
    """Read `streaming wss://…`, `transcription wss://…` (`… now` begins at once) and `speech https://…`."""
    streaming: WebSocketMediaStreamingOptions | None = None
    transcription: WebSocketTranscriptionOptions | None = None
    intelligence: CallIntelligenceOptions | None = None
    for option in options:
        name, *words = option.split()
        if not words or len(words) > 2 or (len(words) == 2 and words[1] != "now") or "://" not in words[0]:
            raise _no_media_option(option)
        begin = len(words) == 2
        if name == "streaming":
            streaming = WebSocketMediaStreamingOptions(
                transport_type=StreamingTransportType.WEBSOCKET,
                audio_channel_type=MediaStreamingAudioChannelType.MIXED,
                transport_url=words[0],
                content_type=MediaStreamingContentType.AUDIO,
                start_media_streaming=begin,
            )
        elif name == "transcription":
            transcription = WebSocketTranscriptionOptions(
                transport_type=StreamingTransportType.WEBSOCKET,
                locale="en-US",
                transport_url=words[0],
                start_transcription=begin,
            )
        elif name == "speech" and not begin:
            intelligence = CallIntelligenceOptions(cognitive_services_endpoint=words[0])
        else:
            raise _no_media_option(option)
    return MediaOptions(streaming, transcription, intelligence)


def _no_media_option(option: str) -> Wrong:
    return Wrong(
        f"{option[:40]!r} is no option of a call",
        "Write streaming wss://…, transcription wss://… (with now: from the start) or speech https://….",
    )

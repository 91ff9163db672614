"""The settings of prompts and speech: the sections [prompt], [speech] and [speech_endpoint.NAME]."""

from dataclasses import dataclass
from typing import ClassVar

from onhook.config import kinds
from onhook.config.table import REQUIRED, defaults, setting
from onhook.media.prompts.settings import PromptSettings as PromptPart
from onhook.media.speech.settings import SpeechEndpoint
from onhook.media.speech.settings import SpeechSettings as SpeechPart

_PROMPT = defaults(PromptPart)
_SPEECH = defaults(SpeechPart)
_ENDPOINT = defaults(SpeechEndpoint)


@dataclass(frozen=True, kw_only=True)
class PromptSettings:
    """Prompts that applications play: from where they may be fetched, and how large they may be."""

    SECTION: ClassVar = "prompt"
    http: str = setting(
        kinds.one_of("never", "loopback", "always"),
        _PROMPT["http"],
        "Where prompts may be fetched by http instead of https.",
    )
    file_root: str = setting(
        kinds.MAYBE_PATH,
        _PROMPT["file_root"],
        "Folder below which file: URLs may name prompts; nothing: none may.",
    )
    max_bytes: int = setting(
        kinds.whole(1_024, 1_073_741_824, 33_554_432),
        _PROMPT["max_bytes"],
        "Largest prompt; a minute has 1,920,000 bytes.",
    )
    fetch_seconds: float = setting(
        kinds.seconds(0.1, 300, 15),
        _PROMPT["fetch_seconds"],
        "How long the fetch of a prompt may take, redirects included.",
    )
    cache_bytes: int = setting(
        kinds.whole(0, 17_179_869_184, 134_217_728),
        _PROMPT["cache_bytes"],
        "Sound kept in memory: prompts with a playSourceCacheId, and what was spoken.",
    )


@dataclass(frozen=True, kw_only=True)
class SpeechSettings:
    """Speech that is spoken and recognised, by the built-in engines or by endpoints."""

    SECTION: ClassVar = "speech"
    built_in: bool = setting(
        kinds.SWITCH,
        default=_SPEECH["built_in"],
        meaning="Speak and listen with the built-in engines where no [speech_endpoint.NAME] is for the call.",
    )
    require_endpoint: bool = setting(
        kinds.SWITCH,
        default=_SPEECH["require_endpoint"],
        meaning="Refuse speech to calls without a cognitiveServicesEndpoint, as ACS does.",
    )
    recognizers: int = setting(
        kinds.whole(1, 256, 2),
        _SPEECH["recognizers"],
        "Processes of the built-in recogniser, started when needed; about 150 MB each.",
    )
    max_listening: int = setting(
        kinds.whole(0, 100_000, 200), _SPEECH["max_listening"], "Legs that are listened to at a time."
    )
    request_seconds: float = setting(
        kinds.seconds(0.1, 300, 20),
        _SPEECH["request_seconds"],
        "How long an engine or endpoint may take for one answer.",
    )
    max_waiting: int = setting(
        kinds.whole(1, 100_000, 500),
        _SPEECH["max_waiting"],
        "Requests that wait for a built-in engine; one more fails.",
    )


@dataclass(frozen=True, kw_only=True)
class SpeechEndpointSection:
    """A speech service in the shape of Azure Speech, for calls that name it."""

    SECTION: ClassVar = "speech_endpoint"
    endpoint: str = setting(
        kinds.SPEECH_ADDRESS, REQUIRED, "The cognitiveServicesEndpoint by which calls name it."
    )
    key: str = setting(kinds.PASSWORD, _ENDPOINT["key"], "Its key, if it wants one.", secret=True)
    key_header: str = setting(kinds.HEADER_NAME, _ENDPOINT["key_header"], "The header that carries the key.")
    speak_url: str = setting(
        kinds.MAYBE_URL,
        _ENDPOINT["speak_url"],
        "Address before /cognitiveservices/v1; nothing: the endpoint itself.",
    )
    listen_url: str = setting(
        kinds.MAYBE_URL,
        _ENDPOINT["listen_url"],
        "Address before /speech/recognition/…; nothing: the endpoint itself.",
    )

"""The settings and limits of speech: `[speech]` and `[speech_endpoint.NAME]`, filled by config/parts.py."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpeechEndpoint:
    """A speech service in the shape of Azure Speech, for calls that name it."""

    endpoint: str
    """The cognitiveServicesEndpoint by which calls name it."""
    key: str = ""
    key_header: str = "Ocp-Apim-Subscription-Key"
    speak_url: str = ""
    """Before /cognitiveservices/v1; empty: the endpoint itself."""
    listen_url: str = ""
    """Before /speech/recognition/…; empty: the endpoint itself."""

    def matches(self, named: str) -> bool:
        return plain(named) == plain(self.endpoint)


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    built_in: bool = True
    """Let the built-in engines speak and listen for calls whose endpoint is not configured."""
    require_endpoint: bool = False
    """Refuse speech for calls without a cognitiveServicesEndpoint, as ACS does."""
    recognizers: int = 2
    """Processes that recognise speech; each takes 100 to 200 MB once it is used."""
    max_listening: int = 200
    """Legs that are listened to at a time."""
    request_seconds: float = 20.0
    """How long an endpoint, or a built-in engine, may take for one answer."""
    max_waiting: int = 500
    """Requests that wait for a built-in engine; more fail at once."""
    endpoints: tuple[SpeechEndpoint, ...] = ()


def plain(endpoint: str) -> str:
    """Endpoints are the same whatever their case, and with or without a slash at the end."""
    return endpoint.strip().rstrip("/").lower()

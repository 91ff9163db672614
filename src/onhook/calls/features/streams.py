"""Media streaming and transcription: at most one stream of each kind for each application in a call.

What a stream is like stands in createCall, answerCall or connect; later requests only start and stop it.
Documented: 405/8522 where nothing was said of it then, 400/8523 for a language without a region. Assumed:
409/8519 for a start while it runs, 400/8585 for a stop or an update while it does not.
"""

import re
from typing import TYPE_CHECKING, Literal

from onhook.acs.errors import NOT_VALID_IN_STATE, ApiError, invalid_body
from onhook.acs.models import (
    MediaStreamingContentType,
    MediaStreamingSubscription,
    MediaStreamingSubscriptionState,
    StartMediaStreamingRequest,
    StartTranscriptionRequest,
    TranscriptionResultType,
    TranscriptionSubscription,
    TranscriptionSubscriptionState,
    UpdateTranscriptionRequest,
)
from onhook.acs.wire import Model
from onhook.calls.features.feature import Feature, Operation
from onhook.calls.features.stream_kinds import AudioKind, TranscriptionKind
from onhook.calls.features.subscription import (
    StartAsked,
    StopAsked,
    Subscription,
    SubscriptionState,
    UpdateAsked,
)
from onhook.calls.legs import Leg
from onhook.calls.record import Connection, MediaOptions
from onhook.effects import StreamKind
from onhook.facts import Fact, StreamChanged
from onhook.machine import Outputs

if TYPE_CHECKING:
    from onhook.calls.host import Host

MISSING_CONFIGURATION = "8522"
"""Documented, with 405: what should have been said when the call was set up."""
CONFLICT = "8519"
INVALID_STREAM_URL = "8581"
KINDS: dict[str, StreamKind] = {
    "startMediaStreaming": "audio",
    "stopMediaStreaming": "audio",
    "startTranscription": "transcription",
    "stopTranscription": "transcription",
    "updateTranscription": "transcription",
}
OPTIONS: dict[StreamKind, str] = {"audio": "mediaStreamingOptions", "transcription": "transcriptionOptions"}
LOCALE = re.compile(r"[a-z]{2,3}(-[a-z]{4})?-([a-z]{2}|[0-9]{3})(-[a-z0-9]{2,8})*", re.IGNORECASE)
"""A language with its region."""


def check_media_options(options: MediaOptions) -> None:
    """Refuse options that no stream can be opened with. Raises ApiError 400 (assumed at call set-up)."""
    if options.streaming is not None:
        _check_url(options.streaming.transport_url, "$.mediaStreamingOptions.transportUrl")
    if options.transcription is not None:
        _check_url(options.transcription.transport_url, "$.transcriptionOptions.transportUrl")
        _check_locale(options.transcription.locale, "$.transcriptionOptions.locale")


def _check_url(url: str | None, where: str) -> None:
    """Plain `ws:` is let in too, for development (ACS wants wss)."""
    if not (url or "").lower().startswith(("wss://", "ws://")):
        raise ApiError(400, INVALID_STREAM_URL, "transportUrl must be a wss: URL.", target=where)


def _check_locale(locale: str, where: str) -> None:
    if not LOCALE.fullmatch(locale):
        raise invalid_body("locale needs a language and a region, as in en-US.", target=where)


class Streams(Feature):
    OPERATIONS = tuple(KINDS)

    def __init__(self, call: "Host") -> None:
        super().__init__(call)
        self._subscriptions: dict[tuple[str, StreamKind], Subscription] = {}
        """By connection."""

    def connected(self, connection: Connection) -> Outputs:
        """Begin what was asked to begin with the call."""
        options, outputs = connection.media_options, list[object]()
        context = connection.operation_context or None
        if options.streaming is not None and options.streaming.start_media_streaming:
            request = StartMediaStreamingRequest(operation_context=context)
            outputs += self._begin_first(connection, "audio", "startMediaStreaming", request)
        if options.transcription is not None and options.transcription.start_transcription:
            asked = StartTranscriptionRequest(operation_context=context)
            outputs += self._begin_first(connection, "transcription", "startTranscription", asked)
        return outputs

    def _begin_first(self, connection: Connection, kind: StreamKind, name: str, request: Model) -> Outputs:
        subscription = self._of(connection, kind)
        assert subscription is not None
        return subscription.handle(StartAsked(Operation(name, connection, request, subscription.id)))

    def _of(self, connection: Connection, kind: StreamKind) -> Subscription | None:
        """None where nothing was said of such a stream when the call was set up."""
        key = connection.id, kind
        if key not in self._subscriptions:
            options = connection.media_options
            if (options.streaming if kind == "audio" else options.transcription) is None:
                return None
            made = (AudioKind if kind == "audio" else TranscriptionKind)(self.call, connection)
            self._subscriptions[key] = Subscription(self.call, connection, made)
        return self._subscriptions[key]

    # What applications ask

    def check(self, asked: Operation) -> None:
        super().check(asked)
        kind = KINDS[asked.name]
        subscription = self._of(asked.connection, kind)
        if subscription is None:
            raise ApiError(
                405,
                MISSING_CONFIGURATION,
                f"{asked.name} needs {OPTIONS[kind]}, given with createCall, answerCall or connect: there"
                " were none.",
            )
        if not subscription.accepts(type(_wish(asked))):
            state = subscription.state.name.lower()
            status, code = (409, CONFLICT) if asked.name.startswith("start") else (400, NOT_VALID_IN_STATE)
            raise ApiError(status, code, f"{asked.name} is not possible: the subscription is {state}.")
        self._check_body(asked)

    def _check_body(self, asked: Operation) -> None:
        request = asked.request
        if isinstance(request, UpdateTranscriptionRequest) and not (
            request.locale or request.speech_model_endpoint_id
        ):
            raise invalid_body("Name the locale or the model that is to be used.", target="$.locale")
        if (locale := getattr(request, "locale", None)) is not None:
            _check_locale(locale, "$.locale")

    def begin(self, asked: Operation) -> Outputs:
        subscription = self._of(asked.connection, KINDS[asked.name])
        return [] if subscription is None else subscription.handle(_wish(asked))

    # What happens

    def take(self, fact: Fact) -> Outputs:
        if not isinstance(fact, StreamChanged):
            return []
        concerned = [each for each in self._subscriptions.values() if each.id == fact.stream]
        return [output for each in concerned for output in each.hear(fact)]

    def joined(self, leg: Leg) -> Outputs:  # noqa: ARG002  # all are named anew
        return self._rename()

    def left(self, leg: Leg) -> Outputs:  # noqa: ARG002  # as above
        return self._rename()

    def _rename(self) -> Outputs:
        return [output for each in self._subscriptions.values() for output in each.renamed()]

    def over(self, connection: Connection) -> Outputs:
        known = [each for (name, _), each in self._subscriptions.items() if name == connection.id]
        return [output for each in known for output in each.end()]

    def end(self) -> Outputs:
        return [output for each in self._subscriptions.values() for output in each.end()]

    # What applications ask to see

    def media_streaming(self, connection: Connection) -> MediaStreamingSubscription | None:
        subscription = self._of(connection, "audio")
        if subscription is None:
            return None
        return MediaStreamingSubscription(
            id=subscription.id,
            state=MediaStreamingSubscriptionState(_state(subscription)),
            subscribed_content_types=[MediaStreamingContentType.AUDIO],
        )

    def transcription(self, connection: Connection) -> TranscriptionSubscription | None:
        subscription, options = self._of(connection, "transcription"), connection.media_options.transcription
        if subscription is None or options is None or not isinstance(subscription.kind, TranscriptionKind):
            return None
        kinds = [TranscriptionResultType.FINAL]
        if options.enable_intermediate_results:
            kinds.append(TranscriptionResultType.INTERMEDIATE)
        return TranscriptionSubscription(
            id=subscription.id,
            state=TranscriptionSubscriptionState(_state(subscription)),
            subscribed_result_types=kinds,
            locale=subscription.kind.locale,
        )


def _state(subscription: Subscription) -> Literal["active", "inactive"]:
    """Active from Started to Stopped (validated: the vendor's live tests look after each of the two)."""
    active = subscription.state in {SubscriptionState.ACTIVE, SubscriptionState.CLOSING}
    return "active" if active else "inactive"


def _wish(asked: Operation) -> StartAsked | StopAsked | UpdateAsked:
    if asked.name.startswith("start"):
        return StartAsked(asked)
    return StopAsked(asked) if asked.name.startswith("stop") else UpdateAsked(asked)

"""Every setting of onhook.toml in one table: name, kind, default, meaning.

The dataclasses here are that table: config is read by them, docs/reference/configuration.md and
onhook.example.toml are written from them, and the rest of the house reads their attributes. Sections
that several can exist of (resource, trunk, route) become the types of calls/directory.py.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from onhook.calls import grid
from onhook.calls.directory import Directory, Trunk, VoiceRoute
from onhook.config import kinds
from onhook.config.captures import RecordingSettings, StreamingSettings
from onhook.config.evidence import HepSettings
from onhook.config.speech import PromptSettings, SpeechEndpointSection, SpeechSettings
from onhook.config.table import REQUIRED, defaults, setting
from onhook.delivery.refused_networks import METADATA_NETWORKS
from onhook.delivery.schedule import Schedule
from onhook.media.rtpengine.settings import FleetSettings
from onhook.media.settings import MediaSettings as MediaPart
from onhook.media.speech.settings import SpeechEndpoint
from onhook.net.settings import ASKINGS, NetworkSettings
from onhook.server.identity_api import IdentityLimits
from onhook.server.settings import ServerSettings as ServerPart
from onhook.switch.world import Limits

DEVELOPMENT_KEY = "b25ob29rOmRldmVsb3BtZW50LW9ubHk6dGhpcy1rZXktaXMtcHVibGlzaGVkLWFuZC1wcm90ZWN0cy1ub25lIQ=="
"""The one access key of a server without configuration. Everybody knows it: for development only."""
DEVELOPMENT_RESOURCE_ID = "0d0e0f00-0000-4000-8000-000000000001"
DEVELOPMENT_NUMBERS = tuple(f"+1425555010{digit}" for digit in range(10))

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # names of every interface
"""Addresses that mean every interface, and where this machine itself reaches what listens there."""

_SERVER = defaults(ServerPart)
_NETWORK = defaults(NetworkSettings)
_MEDIA = defaults(MediaPart)
_FLEET = defaults(FleetSettings)
_SCHEDULE = defaults(Schedule)
_IDENTITY = defaults(IdentityLimits)
_LIMITS = defaults(Limits)
_TRUNK = defaults(Trunk)
_ROUTE = defaults(VoiceRoute)
_SUBSCRIPTION = {each.name: each.default for each in msgspec.structs.fields(grid.Subscription)}


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The HTTP server: the ACS routes and Onhook's own."""

    SECTION: ClassVar = "server"
    host: str = setting(kinds.HOSTNAME, "127.0.0.1", "Address to listen on. 0.0.0.0 is every interface.")
    port: int = setting(kinds.LISTEN_PORT, 8443, "TCP port to listen on; 0 takes any free one.")
    https: bool = setting(
        kinds.SWITCH,
        default=True,
        meaning="Serve HTTPS with a certificate of the local CA. The SDKs accept no http endpoint.",
    )
    hostnames: tuple[str, ...] = setting(
        kinds.HOSTNAMES,
        _SERVER["hostnames"],
        "Names for the certificate beside localhost, 127.0.0.1 and ::1.",
    )
    endpoints: tuple[str, ...] = setting(
        kinds.ENDPOINTS,
        _SERVER["endpoints"],
        "host:port of connection strings given out, where a proxy changes it; signatures may name it.",
    )
    data_directory: str = setting(
        kinds.PATH, ".onhook", "Where the local CA and its keys are kept, from the working directory."
    )
    callback_http: str = setting(
        kinds.one_of("never", "loopback", "always"),
        _SERVER["callback_http"],
        "Where callback addresses may be http instead of https. ACS itself says never.",
    )
    own_api: str = setting(
        kinds.one_of("loopback", "always"),
        _SERVER["own_api"],
        "Who may read /onhook/… (no key is asked): programs on this machine, or everybody.",
    )
    clock_skew_seconds: int = setting(
        kinds.whole(1, 86_400, 900),
        _SERVER["clock_skew_seconds"],
        "How far the date of a signed request may be from our clock.",
    )
    max_body_bytes: int = setting(
        kinds.whole(1_024, 67_108_864, 1_048_576),
        _SERVER["max_body_bytes"],
        "Longest request body; a longer one is answered 413.",
    )
    max_requests_in_flight: int = setting(
        kinds.whole(1, 100_000, 2_000),
        _SERVER["max_requests_in_flight"],
        "Requests under way at a time; one more is answered 503 with Retry-After.",
    )
    max_calls_listed: int = setting(
        kinds.whole(1, 100_000, 1_000),
        _SERVER["max_calls_listed"],
        "Calls in one answer of GET /onhook/calls.",
    )
    token_issuer: str = setting(
        kinds.MAYBE_URL,
        _SERVER["token_issuer"],
        "Issuer named in tokens; nothing: this server's own address. Applications may compare it.",
    )
    token_key_days: int = setting(
        kinds.whole(1, 3_650, 30),
        _SERVER["token_key_days"],
        "How long a key signs tokens; old keys verify until their last token is dead.",
    )
    sip_routing: str = setting(
        kinds.one_of("api", "file"),
        _SERVER["sip_routing"],
        "Trunks and routes as the SIP routing API changed them, or as this file has them.",
    )


@dataclass(frozen=True, kw_only=True)
class SipSettings:
    """The SIP side towards the trunks: UDP and TCP on one port, TLS on another."""

    SECTION: ClassVar = "sip"
    host: str = setting(
        kinds.HOSTNAME,
        _NETWORK["host"],
        "IPv4 address to listen on; of this machine, once a trunk is elsewhere.",
    )
    ipv6_host: str = setting(kinds.MAYBE_HOST, _NETWORK["ipv6_host"], "IPv6 address to listen on as well.")
    port: int = setting(
        kinds.LISTEN_PORT, _NETWORK["port"], "UDP and TCP port to listen on; 0 takes any free one."
    )
    advertised_host: str = setting(
        kinds.MAYBE_HOST,
        _NETWORK["advertised_host"],
        "Address that trunks see, if NAT hides ours; nothing: the interface used.",
    )
    tls: bool = setting(
        kinds.SWITCH,
        default=False,
        meaning="Listen for TLS too. A trunk with transport tls switches it on by itself.",
    )
    tls_port: int = setting(
        kinds.LISTEN_PORT, _NETWORK["tls_port"], "TCP port to listen on for TLS; 0 takes any free one."
    )
    tls_certificate: str = setting(
        kinds.MAYBE_PATH,
        "",
        "Our certificate and its chain, a PEM file; nothing: one of the local CA, for development.",
    )
    tls_key: str = setting(
        kinds.MAYBE_PATH, "", "Its key, a PEM file without password; nothing: in the same file."
    )
    tls_authorities: str = setting(
        kinds.MAYBE_PATH,
        "",
        "Who may sign certificates of trunks, a PEM file; nothing: the public roots and the local CA.",
    )
    tls_client_certificates: str = setting(
        kinds.one_of(*ASKINGS),
        "never",
        "Whether clients are asked for a certificate; required: a trunk is known by the name in it alone.",
    )
    setup_timeout_seconds: float = setting(
        kinds.seconds(1, 600, 115),
        115.0,
        "How long a call may ring before we cancel it. ACS documents 115 s for PSTN calls.",
    )
    max_call_seconds: float = setting(
        kinds.seconds(1, 604_800, 86_400), 86_400.0, "Longest call; then we end it with 429/10110."
    )
    ring_seconds: float = setting(
        kinds.seconds(1, 600, 30),
        30.0,
        "How long a call for an application or a user may ring; ACS documents 30 s.",
    )
    max_calls_per_number: int = setting(
        kinds.whole(0, 100_000, 2),
        2,
        "Outbound calls at a time of an owned number (ACS: 2); direct routing has no such limit.",
    )
    max_calls: int = setting(
        kinds.whole(1, 100_000, 10_000), 10_000, "Calls open at a time; one more is answered 429 by the API."
    )
    dns_servers: tuple[str, ...] = setting(
        kinds.NG_ENDPOINTS,
        _NETWORK["dns_servers"],
        "DNS servers to ask for trunks, host:port; none: those of the system, and its file of hosts.",
    )
    connect_timeout_seconds: float = setting(
        kinds.seconds(0.1, 60, 5), _NETWORK["connect_timeout_seconds"], "How long a TCP connect may take."
    )
    idle_seconds: float = setting(
        kinds.seconds(1, 86_400, 600),
        _NETWORK["idle_seconds"],
        "A TCP connection unused for so long is closed.",
    )
    keepalive_seconds: float = setting(
        kinds.seconds(0, 3_600, 100),
        _NETWORK["keepalive_seconds"],
        "How often connections that we opened are pinged (RFC 5626), so that NAT keeps them; 0: never.",
    )
    max_connections: int = setting(
        kinds.whole(1, 65_535, 4_096), _NETWORK["max_connections"], "TCP connections at a time."
    )
    max_connections_per_peer: int = setting(
        kinds.whole(1, 65_535, 64), _NETWORK["max_connections_per_peer"], "TCP connections with one address."
    )
    api_trunk_transport: str = setting(
        kinds.TRANSPORT, "udp", "Transport of trunks that the SIP routing API makes. ACS itself uses tls."
    )


@dataclass(frozen=True, kw_only=True)
class MediaSettings:
    """RTP: silence is sent, what comes is counted."""

    SECTION: ClassVar = "media"
    host: str = setting(kinds.MAYBE_HOST, "", "Address for RTP; nothing: the same as sip.host.")
    advertised_host: str = setting(
        kinds.MAYBE_HOST,
        _MEDIA["advertised_host"],
        "Address written into SDP; nothing: sip.advertised_host, or else the address for RTP.",
    )
    first_port: int = setting(
        kinds.whole(1_024, 65_534, 20_000), _MEDIA["first_port"], "First UDP port for RTP."
    )
    last_port: int = setting(
        kinds.whole(1_024, 65_535, 29_998),
        _MEDIA["last_port"],
        "Last UDP port for RTP; a call takes one even port.",
    )
    silent_after_seconds: float = setting(
        kinds.seconds(0, 3_600, 10),
        _MEDIA["silent_after_seconds"],
        "RTP that stands still for so long is noted as stopped; 0: never.",
    )
    end_after_silence_seconds: float = setting(
        kinds.seconds(0, 86_400, 300),
        _LIMITS["end_after_silence_seconds"],
        "A leg without RTP for so long is ended, and the call if too few are left; 0: never.",
    )
    engine: str = setting(
        kinds.one_of("embedded", "rtpengine"),
        "embedded",
        "Who has RTP with telephones: this process, or a fleet of rtpengines before it.",
    )
    rtpengine: tuple[str, ...] = setting(
        kinds.NG_ENDPOINTS, (), "Their ng sockets, host:port; for engine = rtpengine."
    )
    rtpengine_interfaces: tuple[str, ...] = setting(
        kinds.INTERFACES,
        _FLEET["interfaces"],
        "Two of rtpengine's interfaces: towards us and towards telephones; none: its first for both.",
    )
    rtpengine_codecs: tuple[str, ...] = setting(
        kinds.INNER_CODECS,
        _FLEET["codecs"],
        "Spoken between rtpengine and us; a telephone's other codec is transcoded to the first.",
    )
    rtpengine_ready: int = setting(
        kinds.whole(1, 10_000, 32), _FLEET["ready"], "Ports kept ready at each rtpengine for the next calls."
    )
    tone_ms: int = setting(
        kinds.whole(40, 8_000, 250), _MEDIA["tone_ms"], "How long a digit that we send lasts, in ms."
    )
    tone_gap_ms: int = setting(
        kinds.whole(20, 8_000, 100),
        _MEDIA["tone_gap_ms"],
        "The pause between two digits that we send, in ms.",
    )
    first_delay_ms: int = setting(
        kinds.whole(20, 200, 40),
        _MEDIA["first_delay_ms"],
        "Delay of the jitter buffer when a stream begins, in ms; it then fits itself to the network.",
    )
    most_delay_ms: int = setting(
        kinds.whole(60, 1_000, 200),
        _MEDIA["most_delay_ms"],
        "The longest delay of the jitter buffer, in ms.",
    )
    realtime: bool = setting(
        kinds.SWITCH,
        _MEDIA["realtime"],
        "Ask the system to serve the media thread before all else, where it lets us.",
    )


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """Where calls, facts and events still to be delivered are kept."""

    SECTION: ClassVar = "store"
    path: str = setting(kinds.PATH, ".onhook/onhook.db", "The SQLite file, from the working directory.")
    retention_days: int = setting(
        kinds.whole(0, 36_500, 30), 30, "Ended calls older than this are removed; 0 keeps them for ever."
    )


@dataclass(frozen=True, kw_only=True)
class DeliverySettings:
    """Handing events to the application's callback addresses."""

    SECTION: ClassVar = "delivery"
    timeout_seconds: float = setting(
        kinds.seconds(0.1, 300, 30),
        _SCHEDULE["timeout_seconds"],
        "How long one try waits for the application's answer.",
    )
    delays_seconds: tuple[float, ...] = setting(
        kinds.PAUSES,
        _SCHEDULE["delays_seconds"],
        "Pauses after the first, second … failed try; the last one repeats. Microsoft documents no rule.",
    )
    give_up_seconds: float = setting(
        kinds.seconds(0, 604_800, 3_600),
        _SCHEDULE["give_up_seconds"],
        "An event older than this is given up after its next failure.",
    )
    posts_at_a_time: int = setting(
        kinds.whole(1, 10_000, 200),
        200,
        "Tries under way at a time; events of one call always go one by one.",
    )
    token_reuse_seconds: float = setting(
        kinds.seconds(0, 150, 0),
        0.0,
        "How long one token goes with all events of a resource; 0 makes one for each, as ACS does.",
    )
    refused_networks: tuple[str, ...] = setting(
        kinds.NETWORKS,
        METADATA_NETWORKS,
        "Networks that no event goes to and no prompt comes from: at first those with a cloud's secrets.",
    )


@dataclass(frozen=True, kw_only=True)
class LimitsSettings:
    """Requests of a resource; one more is answered 429 with Retry-After. Of users: in 30 s, 0 is no limit."""

    SECTION: ClassVar = "limits"
    requests: tuple[str, ...] = setting(
        kinds.LIMITS,
        _SERVER["request_limits"],
        "Rates of other operations, as a test of an application: createCall 2/10 is 2 in 10 s.",
    )
    create_user: int = setting(
        kinds.whole(0, 1_000_000, 1_000), _IDENTITY["create_user"], "Users created without a token."
    )
    create_user_and_token: int = setting(
        kinds.whole(0, 1_000_000, 1_000), _IDENTITY["create_user_and_token"], "Users created with a token."
    )
    issue_token: int = setting(
        kinds.whole(0, 1_000_000, 1_000), _IDENTITY["issue_token"], "Access tokens issued to users."
    )
    revoke_tokens: int = setting(
        kinds.whole(0, 1_000_000, 500), _IDENTITY["revoke_tokens"], "Revocations of a user's tokens."
    )
    delete_user: int = setting(kinds.whole(0, 1_000_000, 500), _IDENTITY["delete_user"], "Users deleted.")


@dataclass(frozen=True, kw_only=True)
class CarrierSettings:
    """The built-in carrier: a SIP agent on this machine, dialled by test numbers."""

    SECTION: ClassVar = "carrier"
    enabled: bool = setting(kinds.SWITCH, default=True, meaning="Start it with the server.")
    host: str = setting(kinds.HOSTNAME, "127.0.0.1", "Address to listen on; keep it on loopback.")
    port: int = setting(kinds.PORT, 5080, "UDP and TCP port to listen on.")


@dataclass(frozen=True, kw_only=True)
class LabSettings:
    """What is for tests of applications alone."""

    SECTION: ClassVar = "lab"
    skip_waits: bool = setting(
        kinds.SWITCH,
        default=False,
        meaning="Let ringing pass at once where all telephones are the carrier's and the app is quiet.",
    )
    quiet_seconds: float = setting(
        kinds.seconds(0.05, 60, 0.4),
        0.4,
        "How long the application must have been quiet until a wait is skipped.",
    )


@dataclass(frozen=True, kw_only=True)
class ResourceSection:
    """An ACS resource: keys that sign requests, numbers that may be caller id."""

    SECTION: ClassVar = "resource"
    id: str = setting(
        kinds.RESOURCE_ID, REQUIRED, "Immutable resource id, a GUID. Without it one is derived from the name."
    )
    access_keys: tuple[str, ...] = setting(
        kinds.KEYS, REQUIRED, "One or two access keys in base64; either signs.", secret=True
    )
    numbers: tuple[str, ...] = setting(kinds.NUMBERS, (), "Owned phone numbers, E.164 with the plus.")


@dataclass(frozen=True, kw_only=True)
class TrunkSection:
    """A SIP peer (SBC or provider) that carries calls to and from the telephone network."""

    SECTION: ClassVar = "trunk"
    host: str = setting(kinds.HOSTNAME, REQUIRED, "Where the SBC is.")
    port: int = setting(
        kinds.LISTEN_PORT, _TRUNK["port"], "Its SIP port; 0: DNS names servers and ports (SRV, RFC 3263)."
    )
    transport: str = setting(kinds.TRANSPORT, _TRUNK["transport"], "udp, tcp or tls.")
    tls_name: str = setting(
        kinds.MAYBE_HOST, _TRUNK["tls_name"], "Name that its certificate must have; nothing: host."
    )
    advertised_host: str = setting(
        kinds.MAYBE_HOST,
        _TRUNK["advertised_host"],
        "Address that this trunk sees in Via and Contact; nothing: sip.advertised_host.",
    )
    username: str = setting(kinds.USERNAME, _TRUNK["username"], "Name for digest authentication, if it asks.")
    password: str = setting(
        kinds.PASSWORD, _TRUNK["password"], "Password for digest authentication.", secret=True
    )
    max_calls: int = setting(
        kinds.whole(0, 100_000, 1_000),
        _TRUNK["max_calls"],
        "Calls at a time; more take the route's next trunk. 0 takes the trunk out of service.",
    )
    refer: str = setting(
        kinds.one_of("auto", "never"),
        _TRUNK["refer"],
        "Transfer by REFER: auto does if the SBC lists REFER in Allow; never calls the target from here.",
    )
    no_response_seconds: float = setting(
        kinds.seconds(0.5, 32, 10),
        _TRUNK["no_response_seconds"],
        "How long an INVITE may stay without any response before the next trunk is tried.",
    )
    session_timer_seconds: int = setting(
        kinds.whole(0, 86_400, 1_800),
        _TRUNK["session_timer_seconds"],
        "Interval of the session timer that is asked for; 0: only if the SBC asks. Least: 90.",
    )
    calls_per_second: int = setting(
        kinds.whole(0, 10_000, 100),
        _TRUNK["calls_per_second"],
        "Calls that may begin in a second, both ways; more take the route's next trunk. 0: no limit.",
    )
    options_seconds: float = setting(
        kinds.seconds(0, 3600, 60),
        _TRUNK["options_seconds"],
        "How often it is asked with OPTIONS how it is; 0: never.",
    )
    offline_after_misses: int = setting(
        kinds.whole(1, 100, 3),
        _TRUNK["offline_after_misses"],
        "After so many unanswered OPTIONS or 503 in a row it is offline: it is tried after all others.",
    )
    max_rest_seconds: float = setting(
        kinds.seconds(0, 3600, 60),
        _TRUNK["max_rest_seconds"],
        "After 503 with Retry-After it gets no new call for so long at most; 0: it is called all the same.",
    )
    codecs: tuple[str, ...] = setting(
        kinds.CODECS,
        _TRUNK["codecs"],
        "Codecs spoken with it, the best first: PCMU, PCMA, G722, opus.",
    )
    srtp: str = setting(
        kinds.SRTP,
        _TRUNK["srtp"],
        "Encrypted media, with keys by SDES: off, optional (offered, plain is taken too) or required.",
    )


@dataclass(frozen=True, kw_only=True)
class RouteSection:
    """A voice route; the first whose pattern matches the whole number decides."""

    SECTION: ClassVar = "route"
    name: str = setting(
        kinds.NAME, REQUIRED, "Name in evidence and errors. Without it: route-1, route-2 and so on."
    )
    pattern: str = setting(kinds.PATTERN, REQUIRED, "Regular expression over the whole E.164 number.")
    trunks: tuple[str, ...] = setting(kinds.NAMES, REQUIRED, "Names of trunks, in the order to try them.")
    order: str = setting(
        kinds.one_of("listed", "random"),
        "listed",
        "Which trunk is tried first: listed or random. After 408, 503, 504 or silence the next one follows.",
    )
    direct_routing: bool = setting(
        kinds.SWITCH,
        default=True,
        meaning="Any caller id is taken; false: it must be an owned number of the resource.",
    )


@dataclass(frozen=True, kw_only=True)
class SubscriptionSection:
    """An Event Grid subscription: who is told of incoming calls. Validated when the server starts."""

    SECTION: ClassVar = "subscription"
    endpoint: str = setting(
        kinds.WEB_ADDRESS,
        REQUIRED,
        "Where events are posted; it has to answer the validation. May be http on this machine.",
        secret=True,
    )
    resource: str = setting(
        kinds.RESOURCE_NAME, "", "Whose events; nothing: the only resource. With several, name one."
    )
    schema: str = setting(
        kinds.one_of("eventgrid", "cloudevents"),
        _SUBSCRIPTION["schema"],
        "Form of the events, and of the validation: Event Grid's own, or CloudEvents 1.0.",
    )
    event_types: tuple[str, ...] = setting(
        kinds.EVENT_TYPES, _SUBSCRIPTION["event_types"], "Only these, short or full names; none means all."
    )
    subject_begins_with: str = setting(
        kinds.SUBJECT, _SUBSCRIPTION["subject_begins_with"], "Only events whose subject begins so."
    )
    subject_ends_with: str = setting(
        kinds.SUBJECT, _SUBSCRIPTION["subject_ends_with"], "Only events whose subject ends so."
    )
    subject_case_sensitive: bool = setting(
        kinds.SWITCH,
        default=_SUBSCRIPTION["subject_case_sensitive"],
        meaning="Compare subjects with regard to case.",
    )
    max_attempts: int = setting(
        kinds.whole(1, grid.MAX_ATTEMPTS, grid.MAX_ATTEMPTS),
        _SUBSCRIPTION["max_attempts"],
        "Tries to deliver an event. Microsoft advises 2 for IncomingCall.",
    )
    ttl_minutes: int = setting(
        kinds.whole(1, grid.MAX_TTL_MINUTES, grid.MAX_TTL_MINUTES),
        _SUBSCRIPTION["ttl_minutes"],
        "An older event is given up. Microsoft advises 1 for IncomingCall.",
    )
    dead_letter_file: str = setting(
        kinds.DEAD_LETTER_FILE,
        _SUBSCRIPTION["dead_letter_file"],
        "File in server.data_directory/dead-letters for what is given up; nothing: it is dropped.",
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that a server is told. Built by `load`; every value is checked."""

    server: ServerSettings = ServerSettings()
    sip: SipSettings = SipSettings()
    media: MediaSettings = MediaSettings()
    store: StoreSettings = StoreSettings()
    delivery: DeliverySettings = DeliverySettings()
    limits: LimitsSettings = LimitsSettings()
    carrier: CarrierSettings = CarrierSettings()
    lab: LabSettings = LabSettings()
    recording: RecordingSettings = dataclasses.field(default_factory=RecordingSettings)
    streaming: StreamingSettings = dataclasses.field(default_factory=StreamingSettings)
    prompt: PromptSettings = dataclasses.field(default_factory=PromptSettings)
    speech: SpeechSettings = dataclasses.field(default_factory=SpeechSettings)
    hep: HepSettings = dataclasses.field(default_factory=HepSettings)
    speech_endpoints: tuple[SpeechEndpoint, ...] = ()
    directory: Directory = dataclasses.field(default_factory=Directory)
    subscriptions: tuple[grid.Subscription, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is allowed but should be known, one sentence each."""


SINGLE = (
    ServerSettings,
    SipSettings,
    MediaSettings,
    StoreSettings,
    DeliverySettings,
    LimitsSettings,
    CarrierSettings,
    LabSettings,
    RecordingSettings,
    StreamingSettings,
    PromptSettings,
    SpeechSettings,
    HepSettings,
)
"""Sections that exist once: [server]."""
NAMED = (ResourceSection, TrunkSection, SubscriptionSection, SpeechEndpointSection)
"""Sections with a name of your choice: [trunk.NAME]."""
LISTED = (RouteSection,)
"""Sections in an order: [[route]]."""
SECTIONS: dict[str, type[Any]] = {section.SECTION: section for section in (*SINGLE, *NAMED, *LISTED)}
OPTIONAL = frozenset({("resource", "id"), ("route", "name")})
"""Settings without a default that may be left out, because a value is derived."""

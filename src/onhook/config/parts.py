"""The configuration in the words of each part of the house.

The parts below own dataclasses of settings with defaults of their own; each function here fills one from
the sections. Fields of the same name are handed over as they are.
"""

import dataclasses
from pathlib import Path
from typing import Any, TypeVar, cast

from onhook.config.kinds import split_endpoint
from onhook.config.schema import WILDCARDS, Config
from onhook.delivery.hep import HepSettings
from onhook.delivery.schedule import Schedule
from onhook.media.prompts.settings import PromptSettings
from onhook.media.recordings.settings import RecordingSettings
from onhook.media.rtpengine.settings import FleetSettings
from onhook.media.settings import MediaSettings
from onhook.media.speech.settings import SpeechSettings
from onhook.media.streams.settings import StreamSettings
from onhook.net.settings import Asking, NetworkSettings, TlsSettings
from onhook.server.certificates import CertificatePaths
from onhook.server.identity_api import IdentityLimits
from onhook.server.settings import ServerSettings
from onhook.switch.switch import Limits

T = TypeVar("T")
_NETWORK = NetworkSettings()


def network_settings(config: Config, tls: TlsSettings | None = None) -> NetworkSettings:
    """Without `tls`, its transport is left out."""
    transports = _NETWORK.transports if tls is None else (*_NETWORK.transports, "tls")
    trunks = config.directory.trunks.values()
    advertised = {trunk.host: trunk.advertised_host for trunk in trunks if trunk.advertised_host}
    return _fill(NetworkSettings, config.sip, tls=tls, transports=transports, advertised=advertised)


def tls_settings(config: Config, development: CertificatePaths) -> TlsSettings:
    """What is not configured is `development`'s."""
    sip = config.sip
    return TlsSettings(
        certificate=Path(sip.tls_certificate) if sip.tls_certificate else development.certificate,
        key=Path(sip.tls_key or sip.tls_certificate) if sip.tls_certificate else development.key,
        authorities=Path(sip.tls_authorities) if sip.tls_authorities else development.bundle,
        clients=cast("Asking", sip.tls_client_certificates),  # its kind lets nothing else through
        names={trunk.host: trunk.tls_name for trunk in config.directory.trunks.values() if trunk.tls_name},
    )


def media_settings(config: Config) -> MediaSettings:
    """Media follows the SIP side in what is left empty."""
    host = config.media.host or config.sip.host
    advertised = config.media.advertised_host or config.sip.advertised_host
    if host in WILDCARDS and not advertised:
        advertised = WILDCARDS[host]  # checks.py lets this pass only if every trunk is on this machine
    return _fill(MediaSettings, config.media, host=host, advertised_host=advertised)


def prompt_settings(config: Config) -> PromptSettings:
    return _fill(PromptSettings, config.prompt)


def speech_settings(config: Config) -> SpeechSettings:
    return _fill(SpeechSettings, config.speech, endpoints=config.speech_endpoints)


def recording_settings(config: Config) -> RecordingSettings:
    """Recordings lie with the other files of the server, if nothing else is said."""
    directory = config.recording.directory or Path(config.server.data_directory) / "recordings"
    return _fill(RecordingSettings, config.recording, directory=Path(directory))


def stream_settings(config: Config) -> StreamSettings:
    return _fill(StreamSettings, config.streaming)


def hep_settings(config: Config) -> HepSettings:
    return _fill(HepSettings, config.hep)


def fleet_settings(config: Config) -> FleetSettings | None:
    """None without rtpengines."""
    if config.media.engine != "rtpengine":
        return None
    engines = tuple([found for each in config.media.rtpengine if (found := split_endpoint(each))])
    return FleetSettings(
        engines,
        interfaces=config.media.rtpengine_interfaces,
        codecs=config.media.rtpengine_codecs,
        ready=config.media.rtpengine_ready,
    )


def server_settings(config: Config) -> ServerSettings:
    return _fill(ServerSettings, config.server, request_limits=config.limits.requests)


def call_limits(config: Config) -> Limits:
    return _fill(
        Limits,
        config.sip,
        setup_seconds=config.sip.setup_timeout_seconds,
        end_after_silence_seconds=config.media.end_after_silence_seconds,
    )


def identity_limits(config: Config) -> IdentityLimits:
    return _fill(IdentityLimits, config.limits)


def schedule(config: Config) -> Schedule:
    return _fill(Schedule, config.delivery)


def _fill(part: type[T], section: object, **others: object) -> T:
    """A `part` with every field that the section has too; the others as given."""
    names = [field.name for field in dataclasses.fields(part)]  # type: ignore[arg-type]  # parts are dataclasses  # pyright: ignore[reportArgumentType]
    shared: dict[str, Any] = {name: getattr(section, name) for name in names if hasattr(section, name)}
    return part(**(shared | others))

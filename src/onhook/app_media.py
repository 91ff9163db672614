"""Wires the media of calls: the engine, and the parts beside it that play, listen, record and stream."""

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec

from onhook import __version__
from onhook.config import Config
from onhook.config.parts import (
    fleet_settings,
    media_settings,
    prompt_settings,
    recording_settings,
    speech_settings,
    stream_settings,
)
from onhook.delivery.refused_networks import RefusedNetworks
from onhook.media.engine.embedded import EmbeddedEngine
from onhook.media.parts import Engine
from onhook.media.prompts.fetching import Fetching
from onhook.media.prompts.prompts import Prompts
from onhook.media.prompts.sources import SoundSources
from onhook.media.recordings.recordings import Locations, Recordings
from onhook.media.rtpengine.engine import RtpengineEngine
from onhook.media.rtpengine.fleet import Fleet
from onhook.media.shared_listening import SharedListening
from onhook.media.speech.azure_listening import AzureListening
from onhook.media.speech.azure_speaking import AzureSpeaking
from onhook.media.speech.espeak import MODULE as ESPEAK
from onhook.media.speech.espeak import Espeak
from onhook.media.speech.listening import Listening
from onhook.media.speech.recognising import MODULE as SPHINX
from onhook.media.speech.recognising import Recognisers, Sphinx
from onhook.media.speech.settings import plain
from onhook.media.speech.speaking import Speaking
from onhook.media.speech.workers import Workers
from onhook.media.streams.dialling import make_session
from onhook.media.streams.streams import Streams
from onhook.media.studio import Studio
from onhook.server.certificates import CertificatePaths, client_context
from onhook.server.recordings_api import places


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What media needs of the rest of the server."""

    config: Config
    now: Callable[[], float]
    certificates: CertificatePaths | None
    url: Callable[[], str]
    """Where this server is reached, once it listens."""
    stream_token: Callable[[str], str]
    """A token for a WebSocket to an application of the resource with this id."""


class Made(NamedTuple):
    """`recordings.recover` is to be called once somebody listens to facts."""

    studio: Studio
    recordings: Recordings
    health: Callable[[], dict[str, object]]
    """What is to be shown of the engine's state."""


async def make_studio(around: Surroundings, stack: contextlib.AsyncExitStack) -> Made:
    """Everything that media needs, started; `stack` stops it."""
    config, now = around.config, around.now
    trust = client_context(around.certificates) if around.certificates else None
    refused = RefusedNetworks(config.delivery.refused_networks)
    connector = aiohttp.TCPConnector(socket_factory=refused.open_socket, ssl=trust or True)
    session = aiohttp.ClientSession(connector=connector)
    stack.push_async_callback(session.close)
    engine, health = await _start_engine(config, now)
    prompts = prompt_settings(config)
    fetching = Fetching(
        prompts, trust=trust, open_socket=refused.open_socket, user_agent=f"onhook/{__version__}"
    )
    stack.push_async_callback(fetching.close)
    espeak = _espeak(config, stack)
    sources = SoundSources(fetching, _speaking(config, session, espeak), prompts)
    recordings = Recordings(
        engine,
        recording_settings(config),
        now=now,
        session=lambda: session,
        locate=_locations(around),
        resource_id_of={each.name: each.id for each in config.directory.resources}.__getitem__,
    )
    stack.push_async_callback(recordings.close)
    listening = SharedListening(
        Listening(engine, _recognisers(config, session, espeak, stack), speech_settings(config), now=now)
    )
    streams = _streams(around, engine, trust, stack, listening)
    studio = Studio(
        engine,
        prompts=Prompts(engine, sources, now=now),
        listening=listening,
        recordings=recordings,
        streams=streams,
        now=now,
    )
    stack.callback(studio.stop)
    return Made(studio, recordings, health)


def _streams(
    around: Surroundings,
    engine: Engine,
    trust: ssl.SSLContext | None,
    stack: contextlib.AsyncExitStack,
    listening: SharedListening,
) -> Streams:
    config = around.config
    ids = {each.name: each.id for each in config.directory.resources}
    session = make_session(
        trust=trust,
        open_socket=RefusedNetworks(config.delivery.refused_networks).open_socket,
        user_agent=f"onhook/{__version__}",
    )
    stack.push_async_callback(session.close)
    streams = Streams(
        engine,
        stream_settings(config),
        now=around.now,
        session=lambda: session,
        recognisers=listening,
        authorize=lambda resource: f"Bearer {around.stream_token(ids[resource])}" if resource in ids else "",
    )
    stack.push_async_callback(streams.close)
    return streams


async def _start_engine(
    config: Config, now: Callable[[], float]
) -> tuple[Engine, Callable[[], dict[str, object]]]:
    """The embedded engine, behind a fleet of rtpengines if some are configured; and how they are."""
    engine = EmbeddedEngine(media_settings(config), now=now)
    settings = fleet_settings(config)
    if not settings:
        return engine, dict
    fleet = Fleet(settings)
    before = RtpengineEngine(engine, fleet, now)
    await before.start_fleet()
    return before, lambda: {"rtpengine": msgspec.to_builtins(fleet.statistics())}


def _espeak(config: Config, stack: contextlib.AsyncExitStack) -> Espeak:
    settings = speech_settings(config)
    workers = Workers(ESPEAK, count=1, max_waiting=settings.max_waiting, seconds=settings.request_seconds)
    stack.push_async_callback(workers.close)
    return Espeak(workers)


def _recognisers(
    config: Config, session: aiohttp.ClientSession, espeak: Espeak, stack: contextlib.AsyncExitStack
) -> Recognisers:
    settings = speech_settings(config)
    workers = Workers(
        SPHINX,
        count=settings.recognizers,
        max_waiting=settings.max_waiting,
        seconds=settings.request_seconds,
    )
    stack.push_async_callback(workers.close)
    endpoints = {
        plain(each.endpoint): AzureListening(each, lambda: session, settings.request_seconds)
        for each in settings.endpoints
    }
    return Recognisers(settings, Sphinx(workers, espeak), endpoints)


def _speaking(config: Config, session: aiohttp.ClientSession, espeak: Espeak) -> Speaking:
    settings = speech_settings(config)
    endpoints = {
        plain(each.endpoint): AzureSpeaking(each, lambda: session, settings.request_seconds)
        for each in settings.endpoints
    }
    return Speaking(settings, espeak, endpoints)


def _locations(around: Surroundings) -> Callable[[str], Locations]:
    """Where the files of recordings are fetched: under the name that recording.public_host gives, if any."""
    host = around.config.recording.public_host

    def locate(document: str) -> Locations:
        base = around.url().rstrip("/")
        if host:  # without a port of its own it has that of the server
            port = urlsplit(base).port
            base = f"https://{host}" if ":" in host or port is None else f"https://{host}:{port}"
        return Locations(*(f"{base}{path}" for path in places(document)))

    return locate

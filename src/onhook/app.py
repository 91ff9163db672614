"""Wires all parts into a running server. The only place that knows every one of them."""

import asyncio
import contextlib
import gc
import logging
import os
import random
import resource
import secrets
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.routing import Route
from starlette.types import ASGIApp

from onhook import __version__
from onhook.acs.grid_events import GridEvent
from onhook.app_lab import lab_routes
from onhook.app_media import Surroundings, make_studio
from onhook.config import Config
from onhook.config.checks import speaks_tls
from onhook.config.parts import (
    call_limits,
    hep_settings,
    identity_limits,
    network_settings,
    recording_settings,
    schedule,
    server_settings,
    tls_settings,
)
from onhook.config.schema import WILDCARDS
from onhook.delivery.courier import Courier
from onhook.delivery.grid.event_grid import EventGrid
from onhook.delivery.grid.surroundings import Sources as GridSources
from onhook.delivery.hep import Collector
from onhook.delivery.refused_networks import RefusedNetworks
from onhook.lab.carrier import Carrier
from onhook.lab.clock import Clock, MediaOnClock
from onhook.lab.provoked_media import ProvokedMedia
from onhook.lab.provoked_store import ProvokedStore
from onhook.lab.provoking import Provoking
from onhook.lab.skipping import Skipping
from onhook.media.recordings.shelf import Shelf
from onhook.net.network import Network
from onhook.server.app import make_app
from onhook.server.authentication import Authentication
from onhook.server.certificates import CertificatePaths, client_context, env_lines, prepare
from onhook.server.context_key import context_key
from onhook.server.grid_api import GridApi
from onhook.server.identity_api import Identities, identity_surface
from onhook.server.keys import CallbackAuthorization, TokenKeys
from onhook.server.lab_api import LabApi, RequestFaults, follow_http
from onhook.server.phone_api import phone_surface
from onhook.server.rate_limits import RateLimits
from onhook.server.recordings_api import RecordingsApi
from onhook.server.serving import HttpServer, TlsFiles
from onhook.server.serving import serve as serve_http
from onhook.server.sip_routing_api import LiveRouting, sip_routing_surface
from onhook.store.batch import StoreFailed
from onhook.store.journal import Journal
from onhook.store.sqlite import SqliteStore
from onhook.switch import Sources, Switch
from onhook.switch.world import Media, Witness, no_witness

MAX_CALLS_REMEMBERED = 10_000
"""Calls whose resource is known without asking the store: each has several events."""
CLEANING_SECONDS = 3600.0
"""How often calls past their retention are removed."""
PAUSE_OF_CLEANING_SECONDS = 0.1
"""Between two portions of what is removed: calls go first."""
REPLIES_KEPT_SECONDS = 24 * 3600.0
DAY_SECONDS = 24 * 3600.0
HOUR_SECONDS = 3600.0
CLEANING_RECORDINGS_SECONDS = 300.0
COLLECT_AFTER = (20_000, 10, 20)
"""Python's garbage collector: new objects until it looks for cycles, and how often it looks further back. A
call leaves one small cycle; with Python's own 700 the search took an eighth of a server's time under load."""
log = logging.getLogger(__name__)
EXAMPLES = (Path(__file__).parent / "_examples", Path(__file__).parents[2] / "examples")


@dataclass(slots=True)
class Running:
    """A server that takes calls. `port` and `sip_port` are the real ones where 0 was configured."""

    config: Config
    switch: Switch
    store: SqliteStore
    courier: Courier
    network: Network
    http: HttpServer
    carrier: Carrier | None
    certificates: CertificatePaths | None
    identities: Identities
    grid: EventGrid
    skipping: Skipping | None
    """None without the built-in carrier: time is skipped for its calls only."""

    @property
    def url(self) -> str:
        return f"{'https' if self.certificates else 'http'}://localhost:{self.http.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes a program of this machine find and trust this server."""
        key = self.config.directory.resources[0].access_keys[0]
        if self.certificates is None:
            return {"COMMUNICATION_SERVICES_CONNECTION_STRING": f"endpoint={self.url}/;accesskey={key}"}
        lines = env_lines(self.certificates, self.http.port, key)
        pairs = (line.removeprefix("export ").partition("=") for line in lines)
        return {name: value.strip("'\"") for name, _, value in pairs}


def clock() -> Callable[[], float]:
    """Unix seconds that never run backwards, whatever is done to the machine's clock."""
    origin = time.time() - time.monotonic()
    return lambda: origin + time.monotonic()


def time_ordered_guid(now: float) -> str:
    """A GUID that begins with the time, Unix seconds (RFC 9562 section 5.7): 48 bits of ms, 74 random ones.

    Rows that are written together then lie on the same few pages of the store. With wholly random ids each
    row dirties a page of its own in every index, the more the larger the store is.
    """
    when, drawn = f"{int(now * 1000):012x}", secrets.token_hex(10)
    variant = "89ab"[int(drawn[3], 16) & 3]
    return f"{when[:8]}-{when[8:]}-7{drawn[:3]}-{variant}{drawn[4:7]}-{drawn[7:19]}"


@contextlib.asynccontextmanager
async def running(config: Config) -> AsyncGenerator[Running, None]:
    """Start everything in order, and stop it in the opposite one. Raises OSError for a port that is taken."""
    calls_clock = Clock(now := clock())  # calls, and what is told of them, go by one that can be moved on
    async with contextlib.AsyncExitStack() as stack:
        certificates = _certificates(config)
        provoking = Provoking(calls_clock.now)
        store, journal = _open_store(config, provoking, stack)
        sources = _sources(config, calls_clock, store)
        keys = _token_keys(config, now())
        authorize = _authorization(config, keys, store, now, provoking.token_time)
        courier = _courier(config, journal, calls_clock.now, certificates, authorize)
        grid = _event_grid(config, store, journal, sources, certificates)
        _post(courier, grid, stack, provoking)
        carrier = await _start_carrier(config, calls_clock, stack)
        network = await _start_network(config, stack)
        made = await make_studio(_surroundings(config, now, certificates, keys), stack)
        shelf = _shelf(config)
        routing = _live_routing(config, store)
        switch = _switch(
            config,
            routing=routing,
            network=network,
            media=_media(MediaOnClock(made.studio, calls_clock), provoking),
            store=store,
            journal=journal,
            courier=courier,
            sources=sources,
            grid=grid,
            witness=await _witness(config, stack),
        )
        stack.callback(switch.close)
        provoking.attach(switch, network, carrier, journal.note, store.call)
        stack.callback(made.studio.stop)  # while the switch still hears how prompts end
        switch.recover()
        await made.recordings.recover()
        identities = _identities(config, store, keys, now, sources.guid)
        lab = lab_routes(config, now, (store, carrier, network), (routing, switch, keys))
        application = make_app(
            config.directory,
            switch,
            store,
            server_settings(config),
            now=now,
            ready=lambda: not journal.failure,
            health=made.health,
            surfaces=(identity_surface(identities), phone_surface(), sip_routing_surface(routing)),
            public=_public(config, keys, grid, provoking, [*lab, *_recordings(config, shelf, now)]),
            faults=RequestFaults(provoking),
        )
        skipping = _skipping(config, calls_clock, switch, carrier, (courier, grid))
        http = await _start_http(config, application, certificates, stack, skipping)
        follow_http(provoking, http, certificates, config.server.hostnames)
        keys.url = _own_url(config, http.port)
        grid.start(keys.url, config.subscriptions)
        _in_the_background(stack, _clean(store, keys, now, config.store.retention_days))
        _in_the_background(stack, _clean_recordings(shelf, now, config), _skip_waits(config, skipping))
        stack.enter_context(_seldom_collecting())
        yield Running(
            config, switch, store, courier, network, http, carrier, certificates, identities, grid, skipping
        )


def _sources(config: Config, clock: Clock, store: SqliteStore) -> Sources:
    """What was skipped in an earlier run stays skipped: the clock of calls never runs backwards."""
    if config.lab.skip_waits and (newest := store.calls(1)):
        clock.skip(max(0.0, (newest[0].ended_at or newest[0].started_at) - clock.now()))
    return Sources(
        now=clock.now, guid=lambda: time_ordered_guid(clock.real()), seed=lambda: secrets.token_hex(16)
    )


async def _witness(config: Config, stack: contextlib.AsyncExitStack) -> Witness:
    """The collector of HEP, if there is one."""
    if not config.hep.host:
        return no_witness
    collector = Collector(hep_settings(config))
    collector.start()
    stack.push_async_callback(collector.close)
    return collector.take


def _switch(
    config: Config,
    *,
    routing: LiveRouting,
    network: Network,
    media: Media,
    store: SqliteStore,
    journal: Journal,
    courier: Courier,
    sources: Sources,
    grid: EventGrid,
    witness: Witness,
) -> Switch:
    switch = Switch(
        directory=routing.directory,
        network=network,
        media=media,
        archive=store,
        journal=journal,
        post=courier,
        sources=sources,
        limits=call_limits(config),
        announcer=Announcements(grid),
        context_key=context_key(Path(config.server.data_directory)),
        witness=witness,
    )
    routing.follow(switch.reroute)
    return switch


def _public(
    config: Config, keys: TokenKeys, grid: EventGrid, provoking: Provoking, others: list[Route]
) -> list[Route]:
    """What goes without signature, or checks its own."""
    settings = server_settings(config)
    own = (*GridApi(grid, settings).routes(), *LabApi(provoking, settings).routes())
    return [*keys.routes(), *own, *others]


def _surroundings(
    config: Config, now: Callable[[], float], certificates: CertificatePaths | None, keys: TokenKeys
) -> Surroundings:
    return Surroundings(
        config,
        now,
        certificates,
        url=lambda: keys.url,
        stream_token=lambda resource_id: keys.stream_token(resource_id, now()),
    )


def _in_the_background(stack: contextlib.AsyncExitStack, *works: Coroutine[Any, Any, None]) -> None:
    for work in works:
        stack.callback(asyncio.create_task(work).cancel)


async def serve(config: Config, *, ready: Callable[[Running], Awaitable[None]]) -> None:
    """Serve until cancelled; `ready` is awaited once calls are taken."""
    async with running(config) as server:
        await ready(server)
        await asyncio.get_running_loop().create_future()


def first_calls(config: Config, *, json: bool) -> int:
    """Start a server for the first calls only; 0 if every ending is the expected one."""

    async def place() -> int:
        async with running(config) as server:
            return await place_first_calls(server, json=json)

    return asyncio.run(place())


async def place_first_calls(server: Running, *, json: bool = False) -> int:
    """Run examples/first_calls.py, a program of the official SDK, against `server`; its exit status."""
    script = next(
        (folder / "first_calls.py" for folder in EXAMPLES if (folder / "first_calls.py").exists()), None
    )
    if script is None:
        raise FileNotFoundError("examples/first_calls.py is not part of this installation")
    arguments = ["--json"] if json else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), *arguments, env={**os.environ, **server.environment}
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()


def _allow_many_files() -> None:
    """An RTP socket a call: take as many files as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def _seldom_collecting() -> Generator[None]:
    """Never search what was there at the start, and the rest seldom; as before when it ends."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _open_store(
    config: Config, provoking: Provoking, stack: contextlib.AsyncExitStack
) -> tuple[SqliteStore, Journal]:
    path = Path(config.store.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(path)
    stack.callback(store.close)
    journal = Journal(ProvokedStore(store, provoking.check_store))
    stack.callback(journal.flush)
    return store, journal


def _media(media: Media, provoking: Provoking) -> Media:
    return ProvokedMedia(media, provoking.media, asyncio.get_running_loop().call_soon)


class Announcements:
    """What the switch tells the subscribers of a resource: Event Grid, in its own words."""

    def __init__(self, grid: EventGrid) -> None:
        self._grid = grid

    def announce(
        self, resource_name: str, event_type: str, subject: str, data: Mapping[str, Any], *, call_id: str
    ) -> None:
        self._grid.publish(resource_name, GridEvent(event_type, subject, data), call_id)

    def has_subscribers(self, resource_name: str) -> bool:
        return self._grid.has_subscribers(resource_name)

    def withdraw(self, call_ids: Collection[str]) -> None:
        self._grid.withdraw(call_ids)


def _certificates(config: Config) -> CertificatePaths | None:
    return _development_certificates(config) if config.server.https else None


def _development_certificates(config: Config) -> CertificatePaths:
    """One certificate for HTTPS and for SIP over TLS, as far as none of the user's own is given."""
    names = list(config.server.hostnames)
    if config.recording.public_host:
        names.append(config.recording.public_host.partition(":")[0])
    if speaks_tls(config):
        hosts = (config.sip.advertised_host, config.sip.host, config.sip.ipv6_host)
        names += [host for host in hosts if host and host not in WILDCARDS]
    return prepare(Path(config.server.data_directory), names, datetime.now(UTC))


def _recordings(config: Config, shelf: Shelf, now: Callable[[], float]) -> list[Route]:
    settings = server_settings(config)
    return RecordingsApi(shelf, Authentication(config.directory, settings, now), settings).routes()


def _shelf(config: Config) -> Shelf:
    shelf = Shelf(recording_settings(config).directory)
    shelf.prepare()
    return shelf


def _event_grid(
    config: Config,
    store: SqliteStore,
    journal: Journal,
    sources: Sources,
    certificates: CertificatePaths | None,
) -> EventGrid:
    return EventGrid(
        store,
        journal,
        GridSources(now=sources.now, guid=sources.guid, jitter=random.random),
        resources=[each.name for each in config.directory.resources],
        dead_letters=Path(config.server.data_directory) / "dead-letters",
        http=server_settings(config).callback_http,
        trust=client_context(certificates) if certificates else None,
        user_agent=f"onhook/{__version__}",
        refused=RefusedNetworks(config.delivery.refused_networks),
    )


def _own_url(config: Config, port: int) -> str:
    """The address that clients know this server by; a proxy before it is named in server.endpoints."""
    scheme = "https" if config.server.https else "http"
    if config.server.endpoints:
        return f"{scheme}://{config.server.endpoints[0]}"
    return f"{scheme}://{next(iter(config.server.hostnames), 'localhost')}:{port}"


def _token_keys(config: Config, now: float) -> TokenKeys:
    return TokenKeys(
        Path(config.server.data_directory),
        now=now,
        url=_own_url(config, config.server.port),
        issuer=config.server.token_issuer,
        days=config.server.token_key_days,
    )


def _authorization(
    config: Config,
    keys: TokenKeys,
    store: SqliteStore,
    now: Callable[[], float],
    made_at: Callable[[str, float], float] = lambda _call_id, now: now,
) -> CallbackAuthorization:
    """Tokens for the resource whose call an event tells of."""
    ids = {each.name: each.id for each in config.directory.resources}

    @lru_cache(maxsize=MAX_CALLS_REMEMBERED)  # a call never changes hands
    def resource_id_of(call_id: str) -> str | None:
        record = store.call(call_id)
        return ids.get(record.resource) if record else None

    return CallbackAuthorization(
        keys, resource_id_of, now, reuse_seconds=config.delivery.token_reuse_seconds, made_at=made_at
    )


def _courier(
    config: Config,
    journal: Journal,
    now: Callable[[], float],
    certificates: CertificatePaths | None,
    authorize: CallbackAuthorization,
) -> Courier:
    return Courier(
        journal,
        now,
        schedule(config),
        trust=client_context(certificates) if certificates else None,
        user_agent=f"onhook/{__version__}",
        posts_at_a_time=config.delivery.posts_at_a_time,
        authorize=authorize,
        refused=RefusedNetworks(config.delivery.refused_networks),
    )


def _post(courier: Courier, grid: EventGrid, stack: contextlib.AsyncExitStack, provoking: Provoking) -> None:
    courier.provoked, grid.provoked = provoking.mishap, provoking.unheard
    courier.start()
    stack.push_async_callback(courier.close)
    stack.push_async_callback(grid.close)


def _identities(
    config: Config, store: SqliteStore, keys: TokenKeys, now: Callable[[], float], guid: Callable[[], str]
) -> Identities:
    limits = RateLimits(identity_limits(config).most())
    return Identities(store.kept, keys, limits, now, guid)


def _live_routing(config: Config, store: SqliteStore) -> LiveRouting:
    return LiveRouting(
        config.directory,
        store.kept,
        source=server_settings(config).sip_routing,
        transport=config.sip.api_trunk_transport,
    )


async def _start_http(
    config: Config,
    application: ASGIApp,
    certificates: CertificatePaths | None,
    stack: contextlib.AsyncExitStack,
    skipping: Skipping | None,
) -> HttpServer:
    application = skipping.watching(application) if skipping else application
    tls = TlsFiles(certificates.certificate, certificates.key) if certificates else None
    http = await serve_http(application, config.server.host, config.server.port, tls)
    stack.push_async_callback(http.stop)
    return http


async def _start_network(config: Config, stack: contextlib.AsyncExitStack) -> Network:
    tls = tls_settings(config, _development_certificates(config)) if speaks_tls(config) else None
    _allow_many_files()
    network = Network(network_settings(config, tls))
    await network.start()
    stack.push_async_callback(network.close)
    return network


def _skipping(
    config: Config, clock: Clock, switch: Switch, carrier: Carrier | None, posts: tuple[Courier, EventGrid]
) -> Skipping | None:
    if carrier is None:
        return None

    def busy() -> bool:
        return any(post.waiting for post in posts)

    return Skipping(clock, switch, carrier, busy=busy, quiet_seconds=config.lab.quiet_seconds)


async def _skip_waits(config: Config, skipping: Skipping | None) -> None:
    if skipping is not None and config.lab.skip_waits:
        await skipping.run()


async def _start_carrier(config: Config, clock: Clock, stack: contextlib.AsyncExitStack) -> Carrier | None:
    if not config.carrier.enabled:
        return None
    carrier = Carrier(config.carrier.host, config.carrier.port, now=clock.now)
    await carrier.start()
    stack.push_async_callback(carrier.stop)
    return carrier


async def _clean(store: SqliteStore, keys: TokenKeys, now: Callable[[], float], retention_days: int) -> None:
    """Drop what is older than its retention, and make a new signing key in time, now and then."""
    while True:
        await _rotate(keys, now())
        oldest = now() - retention_days * DAY_SECONDS if retention_days else 0.0
        try:
            while store.forget(  # noqa: ASYNC110  # not to wait for something: to let others write meanwhile
                calls_before=oldest, replies_before=now() - REPLIES_KEPT_SECONDS
            ):
                await asyncio.sleep(PAUSE_OF_CLEANING_SECONDS)
        except StoreFailed as error:
            log.warning("%s; tried again in an hour", error)
        await asyncio.sleep(CLEANING_SECONDS)


async def _clean_recordings(shelf: Shelf, now: Callable[[], float], config: Config) -> None:
    """Delete files of recordings that are older than their retention, now and then."""
    retention_hours = config.recording.retention_hours
    while retention_hours:
        try:
            await asyncio.to_thread(shelf.clean, now() - retention_hours * HOUR_SECONDS)
        except OSError as error:
            log.warning("the folder of recordings could not be cleaned: %s", error)
        await asyncio.sleep(CLEANING_RECORDINGS_SECONDS)


async def _rotate(keys: TokenKeys, now: float) -> None:
    try:
        await asyncio.to_thread(keys.rotate, now)  # making a key takes long enough to be noticed
    except OSError as error:
        log.warning("no new signing key could be written (%s); the old one goes on signing", error)

"""Wires pages of trunks, and what can be done with the built-in carrier, to the running server."""

from collections.abc import Callable

from starlette.routing import Route

from onhook.config import Config
from onhook.config.parts import server_settings
from onhook.effects import Destination
from onhook.lab.carrier import Carrier
from onhook.net.network import Network
from onhook.server.keys import TokenKeys
from onhook.server.own_trunks import OwnTrunks
from onhook.server.replays_api import ReplaysApi
from onhook.server.sip_routing_api import LiveRouting
from onhook.server.transparency_api import TransparencyApi
from onhook.store.sqlite import SqliteStore
from onhook.switch import Switch


def lab_routes(
    config: Config,
    now: Callable[[], float],
    parts: tuple[SqliteStore, Carrier | None, Network],
    calling: tuple[LiveRouting, Switch, TokenKeys],
) -> list[Route]:
    """What can be done with the built-in carrier."""
    (store, carrier, network), (routing, switch, keys) = parts, calling
    settings = server_settings(config)
    replays = ReplaysApi(store, carrier, settings, now, _own_sip(network, carrier))
    transparency = TransparencyApi(
        routing, switch, store, store.kept, carrier, settings=settings, now=now, url=lambda: keys.url
    )
    return [*replays.routes(), *transparency.routes(), *_trunks(config, switch)]


def _own_sip(network: Network, carrier: Carrier | None) -> Callable[[str], Destination]:
    """Where the carrier's calls come in, by transport."""

    def where(transport: str) -> Destination:
        host, port = carrier.address if carrier else ("127.0.0.1", 0)
        return Destination(transport, *network.via_address(Destination(transport, host, port)))

    return where


def _trunks(config: Config, switch: Switch) -> list[Route]:
    """How they are, to be asked; they are watched from now on."""
    switch.trunks.watch()
    return OwnTrunks(switch.trunks_told, server_settings(config)).routes()

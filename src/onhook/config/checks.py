"""What settings must agree on with one another."""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from onhook.acs.callback_uri import PlainHttp
from onhook.acs.errors import ApiError
from onhook.config.drafts import Draft, SectionKey, title
from onhook.config.faults import Place, did_you_mean
from onhook.config.kinds import split_endpoint
from onhook.config.schema import DEVELOPMENT_KEY, WILDCARDS, Config
from onhook.config.tls_files import file_faults, remarks
from onhook.delivery.grid.checks import checked


def cross_check(draft: Draft, config: Config, read: Mapping[SectionKey, dict[str, Any] | None]) -> None:
    """Add a fault for every pair of settings that cannot stand together.

    `read` has the typed values of the sections without fault; those at fault are not judged twice.
    """
    _routes_name_trunks(draft, read)
    _owned_once(draft, read)
    _subscriptions(draft, config)
    if all(
        values is not None for key, values in read.items() if key[0] in {"server", "sip", "media", "carrier"}
    ):
        _ports(draft, config)
        _reach(draft, config)
        _fleet(draft, config)
        _tls(draft, config)


def warnings(config: Config) -> tuple[str, ...]:
    """What works but should be known, one sentence each."""
    found: list[str] = []
    outside = not is_loopback(config.server.host)
    if outside and any(DEVELOPMENT_KEY in resource.access_keys for resource in config.directory.resources):
        found.append(
            f"server.host {config.server.host} is open to other machines while the published development key "
            "is valid: set access_keys of your own for each resource."
        )
    if outside and not config.server.https:
        found.append(
            "server.https is off and other machines can connect: requests and keys' signatures are readable."
        )
    if config.server.own_api == "always" and outside:
        found.append(
            "server.own_api is always: every machine that can connect reads calls and numbers without a key."
        )
    if config.server.callback_http == "always":
        found.append("server.callback_http is always: ACS itself refuses http callback addresses.")
    if config.carrier.enabled and not is_loopback(config.carrier.host):
        found.append(
            f"carrier.host {config.carrier.host} is open to other machines: it answers whoever calls."
        )
    if config.media.rtpengine and config.media.engine != "rtpengine":
        found.append('media.rtpengine names engines that are not used, because media.engine is "embedded".')
    found += remarks(config.sip.tls_certificate, config.sip.tls_key, datetime.now(UTC))
    if not config.directory.trunks:
        found.append("there is no trunk: every call to a phone ends with 403/511532.")
    return tuple(found)


def speaks_tls(config: Config) -> bool:
    """Whether SIP over TLS is wanted by anything in the configuration."""
    spoken = {trunk.transport for trunk in config.directory.trunks.values()}
    return config.sip.tls or "tls" in spoken or config.sip.api_trunk_transport == "tls"


def is_loopback(host: str) -> bool:
    """True for localhost and loopback addresses; other names are not resolved."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _routes_name_trunks(draft: Draft, read: Mapping[SectionKey, dict[str, Any] | None]) -> None:
    known = [str(name) for name in draft.names("trunk")]
    seen: dict[str, int] = {}
    for key, values in read.items():
        if key[0] != "route" or values is None:
            continue
        number = int(key[1])
        for item, trunk in enumerate(values["trunks"]):
            if trunk not in known:
                there = f" Trunks are {', '.join(known)}." if known else " There is no [trunk.NAME] at all."
                near = did_you_mean(trunk, known, otherwise=there)
                problem = f'there is no trunk "{trunk}".{near}'
                draft.fault(draft.place(key, "trunks", item), f"route.{number}.trunks", problem)
        name = values.get("name", f"route-{number + 1}")
        if name in seen:
            problem = (
                f'the name "{name}" is also that of route {seen[name]}. Names tell routes apart in evidence.'
            )
            draft.fault(draft.place(key, "name"), f"route.{number}.name", problem)
        seen.setdefault(name, number)


def _owned_once(draft: Draft, read: Mapping[SectionKey, dict[str, Any] | None]) -> None:
    """Numbers, keys and ids tell resources apart, so each belongs to one."""
    owners: dict[tuple[str, str], tuple[SectionKey, Place]] = {}
    for key, values in read.items():
        if key[0] != "resource" or values is None:
            continue
        things: list[tuple[str, str, int | None]] = []
        things += [("numbers", number, item) for item, number in enumerate(values.get("numbers", ()))]
        things += [("access_keys", secret, item) for item, secret in enumerate(values["access_keys"])]
        things += [("id", values["id"].lower(), None)] if "id" in values else []
        for setting, value, item in things:
            place = draft.place(key, setting, item)
            if (setting, value) not in owners:
                owners[setting, value] = (key, place)
                continue
            owner = owners[setting, value]
            what = {"numbers": f"{value} is", "access_keys": "this key is", "id": f"{value} is"}[setting]
            where = f" ({owner[1]})" if str(owner[1]) else ""
            problem = f"{what} given before, to resource {owner[0][1]}{where}. Keep it in one place."
            draft.fault(place, f"resource.{key[1]}.{setting}", problem)


def _subscriptions(draft: Draft, config: Config) -> None:
    """What a request for a subscription would be refused for is a fault here."""
    resources = [str(name) for name in draft.names("resource")]
    http = cast("PlainHttp", config.server.callback_http)  # its kind lets nothing else through
    for subscription in config.subscriptions:
        try:
            checked(subscription, resources=resources, http=http)
        except ApiError as refusal:
            key, setting = ("subscription", subscription.name), refusal.target or ""
            problem = refusal.message.removeprefix(f"{setting}: ")
            draft.fault(draft.place(key, setting), f"{title(key)}.{setting}", problem)


def _ports(draft: Draft, config: Config) -> None:
    server, sip, media, carrier = config.server, config.sip, config.media, config.carrier
    media_host = media.host or sip.host
    if media.first_port >= media.last_port:
        problem = f"expected more than media.first_port ({media.first_port}), got {media.last_port}."
        given = draft.values.get(("media", ""), {})
        blamed = "last_port" if "last_port" in given else "first_port"
        draft.fault(draft.place(("media", ""), blamed), "media.last_port", problem)
    tcp = [("server.port", server.host, server.port), ("sip.port", sip.host, sip.port)]
    if speaks_tls(config):
        tcp.append(("sip.tls_port", sip.host, sip.tls_port))
    if carrier.enabled:
        tcp.append(("carrier.port", carrier.host, carrier.port))
    for number, (name, host, port) in enumerate(tcp):
        for other, other_host, other_port in tcp[:number]:
            if port and port == other_port and _overlap(host, other_host):
                _clash(draft, name, f"{port} is already {other}{_given(draft, other)}")
        away = name in {"server.port", "sip.tls_port"}  # TCP alone: RTP is UDP
        if not away and media.first_port <= port <= media.last_port and _overlap(host, media_host):
            _clash(draft, name, f"{port} lies among the RTP ports {media.first_port}–{media.last_port}")


def _clash(draft: Draft, name: str, problem: str) -> None:
    section, _, setting = name.partition(".")
    draft.fault(draft.place((section, ""), setting), name, f"{problem}. Choose another.")


def _given(draft: Draft, name: str) -> str:
    section, _, setting = name.partition(".")
    place = str(draft.place((section, ""), setting))
    return f" ({place})" if place else ""


def _tls(draft: Draft, config: Config) -> None:
    """The files that SIP over TLS needs have to be there, and belong together."""
    sip = config.sip
    for setting, problem in file_faults(sip.tls_certificate, sip.tls_key, sip.tls_authorities):
        draft.fault(draft.place(("sip", ""), setting), f"sip.{setting}", problem)


def _overlap(host: str, other: str) -> bool:
    return (
        host == other or bool({host, other} & WILDCARDS.keys()) or (is_loopback(host) and is_loopback(other))
    )


def _reach(draft: Draft, config: Config) -> None:
    """A socket on loopback carries nothing to another machine; say so before the first call fails."""
    away = next((trunk for trunk in config.directory.trunks.values() if not is_loopback(trunk.host)), None)
    if away is None:
        return
    listening = [("sip", config.sip.host)]
    if config.media.engine == "embedded":  # an rtpengine has addresses of its own towards trunks
        listening.append(("media", config.media.host))
    for section, host in listening:
        if host and is_loopback(host):
            place = draft.place((section, ""), "host")
            if not str(place):
                place = draft.place(("trunk", away.name), "host")
            problem = (
                f"{host} is this machine only, but trunk {away.name} is at {away.host}. "
                f"Under [{section}] write "
                'host = the address of this machine that the trunk can reach, as in host = "192.0.2.5".'
            )
            draft.fault(place, f"{section}.host", problem)
    section = "media" if config.media.host else "sip"
    host = config.media.host or config.sip.host
    if host in WILDCARDS and not (config.media.advertised_host or config.sip.advertised_host):
        problem = (
            f"needed, because RTP listens on {host} (every interface) and SDP must name one address. "
            "Under [sip] write advertised_host = the address at which trunks reach this machine, "
            'as in "192.0.2.5".'
        )
        draft.fault(draft.place((section, ""), "host"), "sip.advertised_host", problem)


def _fleet(draft: Draft, config: Config) -> None:
    """What is said of rtpengines has to be enough, and they have to reach us."""
    media, key = config.media, ("media", "")
    if len(media.rtpengine_interfaces) == 1:
        problem = "expected two names, towards us and towards telephones, or none, got one."
        draft.fault(draft.place(key, "rtpengine_interfaces"), "media.rtpengine_interfaces", problem)
    if len(set(media.rtpengine)) < len(media.rtpengine):
        problem = "an rtpengine is given twice. Name each once."
        draft.fault(draft.place(key, "rtpengine"), "media.rtpengine", problem)
    if media.engine != "rtpengine":
        return
    if not media.rtpengine:
        problem = (
            'needed, because media.engine is "rtpengine". Name their ng sockets, as in ["127.0.0.1:2223"].'
        )
        draft.fault(draft.place(key, "engine"), "media.rtpengine", problem)
    host = media.host or config.sip.host
    hosts = [(each, found[0]) for each in media.rtpengine if (found := split_endpoint(each))]
    away = next((each for each, its_host in hosts if not is_loopback(its_host)), None)
    if away and is_loopback(host):
        problem = (
            f"{host} is this machine only, but rtpengine {away} is not on it. Under [media] write "
            'host = the address of this machine that the rtpengine can reach, as in host = "10.0.0.5".'
        )
        draft.fault(draft.place(key, "rtpengine"), "media.host", problem)

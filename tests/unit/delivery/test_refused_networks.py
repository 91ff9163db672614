"""Networks where events never go, by the address really connected to."""

import errno
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.delivery.refused_networks import METADATA_NETWORKS, AddressRefused, RefusedNetworks


def row(address: str) -> tuple[Any, Any, int, str, tuple[Any, ...]]:
    """As getaddrinfo gives it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = (address, 443, 0, 0) if ":" in address else (address, 443)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "fd00:ec2::254",
        "fd00:ec2:0:0:0:0:0:254",
        "fd00:ec2::254%eth0",
    ],
)
def test_a_clouds_secrets_are_out_of_reach_by_default(address: str) -> None:
    refused = RefusedNetworks()
    assert refused.network_of(address)
    with pytest.raises(AddressRefused) as raised:
        refused.open_socket(row(address))
    assert raised.value.errno == errno.EACCES
    assert address in str(raised.value)
    assert "delivery.refused_networks" in str(raised.value)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "169.254.169.253", "10.0.0.1", "192.0.2.1", "fd00::1"]
)
def test_everything_else_is_open_by_default(address: str) -> None:
    RefusedNetworks().check(address)


def test_an_open_address_gets_a_socket_of_its_family() -> None:
    refused = RefusedNetworks()
    for address, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        with refused.open_socket(row(address)) as opened:
            assert (opened.family, opened.type) == (family, socket.SOCK_STREAM)


def test_the_list_is_what_was_set() -> None:
    refused = RefusedNetworks(["10.0.0.0/8", "fd00::/8"])
    assert str(refused.network_of("10.255.0.1")) == "10.0.0.0/8"
    assert str(refused.network_of("fd12::1")) == "fd00::/8"
    assert refused.network_of("169.254.169.254") is None
    assert RefusedNetworks([]).network_of("169.254.169.254") is None


@pytest.mark.parametrize("network", ["10.0.0.1/8", "x", "", "10.0.0.0/33", "localhost"])
def test_what_is_no_network(network: str) -> None:
    with pytest.raises(ValueError, match=r"network|IPv|host bits"):
        RefusedNetworks([network])


@given(st.ip_addresses(v=4))
def test_an_address_counts_the_same_in_both_families(address: Any) -> None:
    refused = RefusedNetworks(["128.0.0.0/1", *METADATA_NETWORKS])
    assert refused.network_of(str(address)) == refused.network_of(f"::ffff:{address}")

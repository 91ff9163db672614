import pytest

from onhook.media.settings import MediaSettings


@pytest.mark.parametrize(
    ("first", "last", "ports"),
    [
        (20_000, 20_006, [20_000, 20_002, 20_004, 20_006]),
        (20_001, 20_006, [20_002, 20_004, 20_006]),
        (20_001, 20_005, [20_002, 20_004]),
        (20_000, 20_000, [20_000]),
        (20_001, 20_001, []),
    ],
)
def test_the_even_ports_of_the_range_are_used(first: int, last: int, ports: list[int]) -> None:
    assert list(MediaSettings(first_port=first, last_port=last).ports()) == ports


@pytest.mark.parametrize(("first", "last"), [(0, 10), (30_000, 20_000), (60_000, 65_536)])
def test_what_is_no_range_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match=rf"media\.first_port and last_port: {first}\.\.{last}"):
        MediaSettings(first_port=first, last_port=last)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_bound_to_every_interface_it_must_be_told_what_to_write(host: str) -> None:
    with pytest.raises(ValueError, match=r"media\.advertised_host: needed when media\.host is"):
        MediaSettings(host=host)
    assert MediaSettings(host=host, advertised_host="192.0.2.1").written_host == "192.0.2.1"


def test_the_host_is_written_as_it_is_bound() -> None:
    assert MediaSettings(host="192.0.2.7").written_host == "192.0.2.7"

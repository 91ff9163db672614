import errno
import socket
from typing import get_args

import pytest

from onhook.effects import Destination
from onhook.net.failures import Word, describe, failure

TO = Destination("tcp", "trunk.example", 5060)
TO_IPV6 = Destination("udp", "2001:db8::7", 5060)


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ECONNRESET, "reset"),
        (errno.EPIPE, "reset"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ENETUNREACH, "unreachable"),
        (errno.EADDRNOTAVAIL, "unreachable"),
        (errno.EPERM, "unreachable"),
        (errno.EINVAL, "unreachable"),
        (errno.EMSGSIZE, "too-large"),
        (errno.EIO, "failed"),
    ],
)
def test_a_system_error_begins_with_its_word(number: int, word: str) -> None:
    text = describe(OSError(number, "as the loop words it"), TO)
    assert text.startswith(f"{word}: trunk.example:5060 over tcp: ")
    assert word in get_args(Word)
    assert "as the loop words it" not in text


def test_a_wrong_bind_address_names_its_setting() -> None:
    assert "sip.host" in describe(OSError(errno.EINVAL, ""), TO)


def test_an_attempt_that_ran_out_of_time() -> None:
    assert describe(TimeoutError(), TO) == "timeout: trunk.example:5060 did not answer"


def test_the_kernel_may_run_out_of_time_too() -> None:
    assert describe(TimeoutError(errno.ETIMEDOUT, ""), TO).startswith(
        "timeout: trunk.example:5060 over tcp: "
    )


def test_a_name_without_an_address() -> None:
    text = describe(socket.gaierror(socket.EAI_NONAME, "Name or service not known"), TO)
    assert text == "name-unknown: trunk.example has no address (Name or service not known)"


def test_an_error_without_a_number() -> None:
    assert describe(ValueError("odd"), TO) == "failed: trunk.example:5060 over tcp: odd"
    assert describe(ValueError(), TO) == "failed: trunk.example:5060 over tcp: ValueError"


def test_version_6_addresses_stand_in_brackets() -> None:
    assert "[2001:db8::7]:5060" in describe(OSError(errno.ECONNREFUSED, ""), TO_IPV6)


def test_a_failure_is_word_and_text() -> None:
    assert failure("limit", "enough") == "limit: enough"

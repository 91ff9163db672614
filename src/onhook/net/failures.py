"""The words in which a message that could not be carried is reported.

A failure's text is `word: what happened`; the word is one of `Word` and never changes its meaning, so
that rules may read it. They are Onhook's own; the system errors behind them are POSIX.
"""

import errno
import os
import socket
from typing import Literal, TypeAlias

from onhook.effects import Destination

Word: TypeAlias = Literal[
    "refused",  # the host answered that nobody listens on this port
    "reset",  # an open connection was torn down
    "closed",  # the far end closed the connection before it answered
    "timeout",  # nobody answered the connection attempt
    "unreachable",  # no route to the host or network, or a filter forbids it
    "name-unknown",  # the host name could not be turned into an address
    "too-large",  # more bytes than the transport carries
    "overflow",  # too much is waiting to be sent to this destination already
    "limit",  # one of our own limits on connections is reached
    "unsupported",  # this transport is not built or not switched on
    "failed",  # any other error of the system
]

_WORDS: dict[int, Word] = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.EACCES: "unreachable",
    errno.EPERM: "unreachable",
    errno.EINVAL: "unreachable",  # Linux: from a loopback address to another network
    errno.EAFNOSUPPORT: "unreachable",
    errno.EMSGSIZE: "too-large",
}


def failure(word: Word, text: str) -> str:
    return f"{word}: {text}"


def describe(error: BaseException, to: Destination) -> str:
    """A system error, met on the way to `to`, as a failure text."""
    if isinstance(error, socket.gaierror):
        return failure("name-unknown", f"{to.host} has no address ({error.strerror})")
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return failure("timeout", f"{to.peer} did not answer")
    number = getattr(error, "errno", None)
    if not isinstance(number, int):
        return failure("failed", f"{to.peer} over {to.transport}: {str(error) or type(error).__name__}")
    said = os.strerror(number)  # the loops word their exceptions differently
    if number == errno.EINVAL:
        said += ": no way there from the address we are bound to (sip.host)"
    return failure(_WORDS.get(number, "failed"), f"{to.peer} over {to.transport}: {said}")

"""The words in which a message that could not be carried is reported.

A failure's text is `word: what happened`; the word is one of `Word` and never changes its meaning, so
that rules may read it. They are Onhook's own; the system errors behind them are POSIX.
"""

import errno
import os
import re
import socket
import ssl
from typing import Literal, TypeAlias, get_args

from onhook.effects import Destination

Word: TypeAlias = Literal[
    "refused",  # the host answered that nobody listens on this port
    "reset",  # an open connection was torn down
    "closed",  # the far end closed the connection before it answered
    "timeout",  # nobody answered the connection attempt
    "unreachable",  # no route to the host or network, or a filter forbids it
    "name-unknown",  # the host name could not be turned into an address
    "too-large",  # more bytes than the transport carries
    "tls",  # the far end speaks no TLS, none that we take, or none at all
    "certificate-expired",  # the far end's certificate is out of date, or not valid yet
    "certificate-untrusted",  # nobody whom we trust signed it
    "certificate-name",  # it belongs to another name than the one we called
    "certificate-refused",  # the far end does not take our certificate, or wants one
    "overflow",  # too much is waiting to be sent to this destination already
    "limit",  # one of our own limits on connections is reached
    "unsupported",  # this transport is not built or not switched on
    "failed",  # any other error of the system
]

WORDS: tuple[Word, ...] = get_args(Word)

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

# X509_V_ERR_… of OpenSSL's x509_vfy.h; ssl does not name them.
_OUT_OF_DATE = frozenset({9, 10, 13, 14})
_OF_ANOTHER_NAME = frozenset({62, 63, 64})
_OUR_CERTIFICATE = re.compile(
    "ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN|REQUIRED)|UNKNOWN_CA"
    "|ACCESS_DENIED)"
)

_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)


class NoHandshake(OSError):
    """The far end took the connection, and TLS came to nothing; `str` of it says how."""


def failure(word: Word, text: str) -> str:
    return f"{word}: {text}"


def describe(error: BaseException, to: Destination) -> str:
    """A system error, met on the way to `to`, as a failure text."""
    if isinstance(error, socket.gaierror):
        return failure("name-unknown", f"{to.host} has no address ({error.strerror})")
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return failure("timeout", f"{to.peer} did not answer")
    if isinstance(error, NoHandshake):
        return failure("tls", f"{to.peer} {error}")
    if isinstance(error, ssl.SSLError):
        return _describe_tls(error, to)
    number = getattr(error, "errno", None)
    if not isinstance(number, int):
        return failure("failed", f"{to.peer} over {to.transport}: {str(error) or type(error).__name__}")
    said = os.strerror(number)  # the loops word their exceptions differently
    if number == errno.EINVAL:
        said += ": no way there from the address we are bound to (sip.host)"
    return failure(_WORDS.get(number, "failed"), f"{to.peer} over {to.transport}: {said}")


def _describe_tls(error: ssl.SSLError, to: Destination) -> str:
    """The errors of OpenSSL (RFC 8446 section 6.2 has the alerts)."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OUT_OF_DATE:
            word: Word = "certificate-expired"
        else:
            word = "certificate-name" if error.verify_code in _OF_ANOTHER_NAME else "certificate-untrusted"
        return failure(word, f"{to.peer}: {error.verify_message}")
    reason = error.reason or type(error).__name__
    if _OUR_CERTIFICATE.search(reason):
        return failure("certificate-refused", f"{to.peer} refuses our certificate ({_words(reason)})")
    if reason in _NO_TLS:
        return failure("tls", f"{to.peer} speaks no TLS ({_words(reason)})")
    return failure("tls", f"{to.peer}: {_words(reason)}")


def _words(reason: str) -> str:
    return reason.lower().replace("_", " ")

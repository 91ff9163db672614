"""SRTP of the legs that agreed on it (RFC 3711), with the keys that SDES brought (RFC 4568).

pylibsrtp makes the sessions and keeps the keys. Its own calls copy each packet twice and give up Python's
lock each time; so packets go to the same functions of its library where they lie, by ctypes, which takes a
quarter of the time (measured: 12 us a packet against 2 to 4).
"""

import ctypes
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pylibsrtp
from numpy.typing import NDArray

from onhook.effects import Srtp

_LIBRARY: Any = pylibsrtp  # untyped; and its way to packets in place is not a public one
SUITES: Final[dict[str, int]] = {
    "AES_CM_128_HMAC_SHA1_80": _LIBRARY.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": _LIBRARY.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
KEY_BYTES: Final = 30
REPLAYED: Final = (9, 10)
"""What libsrtp answers for a packet that it opened before, or that is too old to know."""


def _function(name: str) -> Any:
    """One of libsrtp's: (session, packet, place of its length) -> status; Python's lock is kept."""
    ffi, library = _LIBRARY._binding.ffi, _LIBRARY._binding.lib  # noqa: SLF001  # see above
    kind = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    return kind(int(ffi.cast("uintptr_t", ffi.addressof(library, name))))


_PROTECT: Final = _function("srtp_protect")
_UNPROTECT: Final = _function("srtp_unprotect")
_PROTECT_CONTROL: Final = _function("srtp_protect_rtcp")
_UNPROTECT_CONTROL: Final = _function("srtp_unprotect_rtcp")
_CONTROL_TRAILER_BYTES: Final = 32
"""Index and tag, and more than enough."""


class Secrecy:
    """Both directions of one leg."""

    def __init__(self, agreed: Srtp) -> None:
        """Raises ValueError for a suite or a key that is none."""
        profile = SUITES.get(agreed.suite)
        if profile is None:
            raise ValueError(f"SRTP suite {agreed.suite!r} is none of {', '.join(SUITES)}")
        for key in (agreed.send_key, agreed.receive_key):
            if len(key) != KEY_BYTES:
                raise ValueError(f"an SRTP key has {KEY_BYTES} bytes, not {len(key)}")
        self.agreed = agreed
        policy = _LIBRARY.Policy
        outbound = policy(agreed.send_key, policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        inbound = policy(agreed.receive_key, policy.SSRC_ANY_INBOUND, srtp_profile=profile)
        self.sending: Any = _LIBRARY.Session(outbound)
        self.receiving: Any = _LIBRARY.Session(inbound)
        self.send_handle, self.receive_handle = _handle(self.sending), _handle(self.receiving)

    def close_control(self, packet: bytes) -> bytes:
        """RTCP, encrypted. Raises ValueError if libsrtp does not want it."""
        done = _control(_PROTECT_CONTROL, self.send_handle, packet)
        if done is None:
            raise ValueError(f"libsrtp does not encrypt {packet[:8].hex()}…")
        return done

    def open_control(self, packet: bytes) -> bytes | None:
        """RTCP, decrypted; None if the keys do not open it, or it came before."""
        return _control(_UNPROTECT_CONTROL, self.receive_handle, packet)


def _control(function: Any, handle: int, packet: bytes) -> bytes | None:
    memory = ctypes.create_string_buffer(packet, len(packet) + _CONTROL_TRAILER_BYTES)
    length = ctypes.c_int(len(packet))
    if function(handle, ctypes.addressof(memory), ctypes.addressof(length)):
        return None
    return memory.raw[: length.value]


def _handle(session: Any) -> int:
    """The pointer that libsrtp wants; good as long as the session lives."""
    return int(_LIBRARY._binding.ffi.cast("uintptr_t", session._srtp[0]))  # noqa: SLF001  # see above


class Lengths:
    """Lengths of packets, as libsrtp wants them: each at a place in memory."""

    def __init__(self, slots: int) -> None:
        self.values = np.zeros(slots, np.int32)
        self.places: list[int] = (self.values.ctypes.data + 4 * np.arange(slots)).tolist()


def protect(legs: Iterable[Secrecy], places: Iterable[int], lengths: Lengths) -> list[int]:
    """Encrypt packets where they lie; `lengths` grow. The status of each, 0 is good."""
    return [
        _PROTECT(leg.send_handle, place, length)
        for leg, place, length in zip(legs, places, lengths.places, strict=False)
    ]


def unprotect(legs: Iterable[Secrecy], places: Iterable[int], lengths: Lengths) -> NDArray[np.int32]:
    """Decrypt packets where they lie; `lengths` shrink. The status of each, 0 is good."""
    statuses = [
        _UNPROTECT(leg.receive_handle, place, length)
        for leg, place, length in zip(legs, places, lengths.places, strict=False)
    ]
    return np.array(statuses, np.int32)

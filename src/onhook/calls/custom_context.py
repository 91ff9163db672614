"""customCallingContext: headers that an application gives a call on its way.

For a telephone the SIP headers go into the INVITE, for a user both kinds go into IncomingCall. Names and
lengths are those of Microsoft's page on custom context (documented); more names than that, and how many
there may be, are assumed. What goes into SIP cannot end its own line there.
"""

import re

from onhook.acs.errors import invalid_body, shown
from onhook.acs.models import CustomCallingContext

MAX_HEADERS = 20
MAX_NAME_CHARACTERS = 64
MAX_SIP_VALUE_CHARACTERS = 256
MAX_VOIP_VALUE_CHARACTERS = 1024
UUI = "user-to-user"
WHERE = "$.customCallingContext"
UUI_OF_EVENTS = "userToUser"
"""How IncomingCall names it (documented, by a sample)."""
_PASSED_ON = re.compile(
    rb"^(user-to-user|x-ms-custom-[a-z0-9.!%*_+`'~-]+)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE
)
_CUSTOM = re.compile(r"x-[a-z0-9.!%*_+`'~-]+", re.IGNORECASE)

Pairs = tuple[tuple[str, str], ...]


def read_context(context: CustomCallingContext | None) -> tuple[Pairs, Pairs]:
    """(SIP headers, VoIP headers). Raises ApiError 400 that names the header at fault."""
    if context is None:
        return (), ()
    sip, voip = context.sip_headers or {}, context.voip_headers or {}
    if len(sip) + len(voip) > MAX_HEADERS:
        raise invalid_body(
            f"customCallingContext has {len(sip) + len(voip)} headers; {MAX_HEADERS} are allowed.",
            target=WHERE,
        )
    for name, value in sip.items():
        _check_sip(name, value)
    for name, value in voip.items():
        _check_lengths(name, value, MAX_VOIP_VALUE_CHARACTERS, f"{WHERE}.voipHeaders")
    return tuple(sip.items()), tuple(voip.items())


def headers_of(invite: bytes) -> Pairs:
    """What an INVITE that came in has for the application, names as they were written; see IncomingCall.

    Other headers, those that are too long and more than MAX_HEADERS are left out.
    """
    found: dict[str, str] = {}
    for name, value in _PASSED_ON.findall(invite.partition(b"\r\n\r\n")[0]):
        key = UUI_OF_EVENTS if name.lower() == UUI.encode() else name.decode()
        text = value.decode(errors="replace").strip()
        fits = len(key) <= MAX_NAME_CHARACTERS and len(text) <= MAX_SIP_VALUE_CHARACTERS
        if fits and len(found) < MAX_HEADERS:
            found.setdefault(key, text)
    return tuple(found.items())


def _check_sip(name: str, value: str) -> None:
    where = f"{WHERE}.sipHeaders"
    if name.lower() != UUI and not _CUSTOM.fullmatch(name):
        raise invalid_body(
            f"{shown(name)} cannot be sent: sipHeaders are User-To-User, and names that begin with"
            " X-MS-Custom- (or X-).",
            target=where,
        )
    _check_lengths(name, value, MAX_SIP_VALUE_CHARACTERS, where)
    if any(not char.isprintable() for char in value):
        raise invalid_body(f"the value of {shown(name)} holds control characters.", target=where)


def _check_lengths(name: str, value: str, longest: int, where: str) -> None:
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise invalid_body(
            f"the name {shown(name)} has {len(name)} characters; 1 to {MAX_NAME_CHARACTERS} are allowed.",
            target=where,
        )
    if len(value) > longest:
        raise invalid_body(
            f"the value of {shown(name)} has {len(value)} characters; {longest} are allowed.", target=where
        )

"""Whom an operation names: read from identifiers, and told again in events."""

from onhook.acs.errors import ApiError, invalid_body, shown
from onhook.acs.identifiers import identify, normalise
from onhook.acs.models import CallParticipant, CommunicationIdentifierModel, PhoneNumberIdentifierModel
from onhook.calls.numbers import fault_in

SHOWN_NUMBER = "$.sourceCallerIdNumber"


def party_of(identifier: CommunicationIdentifierModel, where: str) -> str:
    """A number in E.164, or the raw id of an ACS user. Raises ApiError: 400, or 501 for other kinds."""
    known = normalise(identifier, where)
    if known.phone_number is not None:
        number = known.phone_number.value
        if fault := fault_in(number):
            raise invalid_body(f"{shown(number)} is no E.164 number: {fault}.", target=where)
        return number
    if known.communication_user is not None:
        return known.communication_user.id
    raise ApiError(
        501,
        "NotImplemented",
        f"Onhook cannot call {shown(known.raw_id or '')} yet: neither phone number nor ACS user.",
        target=where,
    )


def number_of(shown_number: PhoneNumberIdentifierModel | None) -> str:
    """The caller id to show; empty if none is given. Raises ApiError 400."""
    number = shown_number.value if shown_number else ""
    if number and (fault := fault_in(number)):
        raise invalid_body(f"{shown(number)} is no E.164 number: {fault}.", target=SHOWN_NUMBER)
    return number


def participant(party: str) -> CallParticipant:
    return CallParticipant(identifier=identify(party), is_muted=False, is_on_hold=False)

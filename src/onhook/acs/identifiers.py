"""Who takes part in a call: raw ids, and the identifier objects around them.

Raw id forms (documented in "Identifiers" of the calling concepts, and as both SDKs write them, validated):

| raw id                               | kind               |
|--------------------------------------|--------------------|
| 4:+14255550123, 4:anonymous          | phoneNumber        |
| 8:acs:RESOURCE_USER (dod-acs, gcch-acs, spool) | communicationUser |
| 8:acs:RESOURCE_TENANT_USER           | teamsExtensionUser |
| 8:orgid:ID (dod, gcch), 8:teamsvisitor:ID | microsoftTeamsUser |
| 28:orgid:ID (dod, gcch)              | microsoftTeamsApp  |
"""

from typing import TypeAlias

from onhook.acs.errors import invalid_body, shown
from onhook.acs.models_common import (
    CommunicationIdentifierModel,
    CommunicationUserIdentifierModel,
    MicrosoftTeamsAppIdentifierModel,
    MicrosoftTeamsUserIdentifierModel,
    PhoneNumberIdentifierModel,
    TeamsExtensionUserIdentifierModel,
)
from onhook.acs.models_enums import CommunicationCloudEnvironmentModel as Cloud
from onhook.acs.models_enums import CommunicationIdentifierModelKind as Kind

Identifier: TypeAlias = CommunicationIdentifierModel

MAX_RAW_ID_LENGTH = 256
PHONE_PREFIX = "4:"
ANONYMOUS = "anonymous"
ANONYMOUS_TEAMS_USER_PREFIX = "8:teamsvisitor:"

ACS_USER_PREFIXES = {"8:acs:": Cloud.PUBLIC, "8:dod-acs:": Cloud.DOD, "8:gcch-acs:": Cloud.GCCH}
TEAMS_USER_PREFIXES = {"8:orgid:": Cloud.PUBLIC, "8:dod:": Cloud.DOD, "8:gcch:": Cloud.GCCH}
TEAMS_APP_PREFIXES = {"28:orgid:": Cloud.PUBLIC, "28:dod:": Cloud.DOD, "28:gcch:": Cloud.GCCH}
OTHER_USER_PREFIXES = ("8:spool:",)

OBJECT_OF_KIND = {
    Kind.COMMUNICATION_USER: "communication_user",
    Kind.PHONE_NUMBER: "phone_number",
    Kind.MICROSOFT_TEAMS_USER: "microsoft_teams_user",
    Kind.MICROSOFT_TEAMS_APP: "microsoft_teams_app",
    Kind.TEAMS_EXTENSION_USER: "teams_extension_user",
}


def phone_number(number: str) -> Identifier:
    """The identifier of an E.164 number, as answers and events carry it."""
    return Identifier(
        kind=Kind.PHONE_NUMBER,
        raw_id=f"{PHONE_PREFIX}{number}",
        phone_number=PhoneNumberIdentifierModel(value=number),
    )


def communication_user(raw_id: str) -> Identifier:
    return Identifier(
        kind=Kind.COMMUNICATION_USER,
        raw_id=raw_id,
        communication_user=CommunicationUserIdentifierModel(id=raw_id),
    )


def identify(party: str) -> Identifier:
    """The identifier of a party kept as E.164 number or raw id."""
    return phone_number(party) if party.startswith("+") else from_raw_id(party)


def from_raw_id(raw_id: str) -> Identifier:
    """Read a raw id. One of no known form is kept as kind `unknown`."""
    if raw_id.startswith(PHONE_PREFIX):
        return _phone_from(raw_id)
    prefix = _prefix_of(raw_id)
    rest = raw_id[len(prefix) :]
    if prefix in ACS_USER_PREFIXES or prefix in OTHER_USER_PREFIXES:
        parts = rest.split("_")
        if len(parts) == 3 and prefix in ACS_USER_PREFIXES:
            return _extension_user(raw_id, parts, ACS_USER_PREFIXES[prefix])
        return communication_user(raw_id)
    if prefix in TEAMS_USER_PREFIXES or prefix == ANONYMOUS_TEAMS_USER_PREFIX:
        return _teams_user(raw_id, prefix, rest)
    if prefix in TEAMS_APP_PREFIXES:
        app = MicrosoftTeamsAppIdentifierModel(app_id=rest, cloud=TEAMS_APP_PREFIXES[prefix])
        return Identifier(kind=Kind.MICROSOFT_TEAMS_APP, raw_id=raw_id, microsoft_teams_app=app)
    return Identifier(kind=Kind.UNKNOWN, raw_id=raw_id)


def _prefix_of(raw_id: str) -> str:
    """`8:acs:` of `8:acs:a_b`; empty if there are fewer than two colons or nothing behind them."""
    first, second, rest = (*raw_id.split(":", 2), "", "")[:3]
    return f"{first}:{second}:" if rest else ""


def _phone_from(raw_id: str) -> Identifier:
    """`4:+14255550123_ID`: ID is the asserted id of the caller (validated: SDK code)."""
    value = raw_id[len(PHONE_PREFIX) :]
    _, _, asserted_id = value.rpartition("_")
    has_asserted_id = "_" in value[1:] and bool(asserted_id)
    number = PhoneNumberIdentifierModel(
        value=value,
        is_anonymous=True if value == ANONYMOUS else None,
        asserted_id=asserted_id if has_asserted_id else None,
    )
    return Identifier(kind=Kind.PHONE_NUMBER, raw_id=raw_id, phone_number=number)


def _teams_user(raw_id: str, prefix: str, user_id: str) -> Identifier:
    user = MicrosoftTeamsUserIdentifierModel(
        user_id=user_id,
        is_anonymous=prefix == ANONYMOUS_TEAMS_USER_PREFIX,
        cloud=TEAMS_USER_PREFIXES.get(prefix, Cloud.PUBLIC),
    )
    return Identifier(kind=Kind.MICROSOFT_TEAMS_USER, raw_id=raw_id, microsoft_teams_user=user)


def _extension_user(raw_id: str, parts: list[str], cloud: Cloud) -> Identifier:
    resource_id, tenant_id, user_id = parts
    user = TeamsExtensionUserIdentifierModel(
        user_id=user_id, tenant_id=tenant_id, resource_id=resource_id, cloud=cloud
    )
    return Identifier(kind=Kind.TEAMS_EXTENSION_USER, raw_id=raw_id, teams_extension_user=user)


def raw_id_of(identifier: Identifier) -> str | None:
    """The raw id that the nested object says; None if there is none."""
    if identifier.phone_number:
        return f"{PHONE_PREFIX}{identifier.phone_number.value}"
    if identifier.communication_user:
        return identifier.communication_user.id
    if user := identifier.microsoft_teams_user:
        prefix = (
            ANONYMOUS_TEAMS_USER_PREFIX if user.is_anonymous else _prefix_for(TEAMS_USER_PREFIXES, user.cloud)
        )
        return f"{prefix}{user.user_id}"
    if app := identifier.microsoft_teams_app:
        return f"{_prefix_for(TEAMS_APP_PREFIXES, app.cloud)}{app.app_id}"
    if other := identifier.teams_extension_user:
        prefix = _prefix_for(ACS_USER_PREFIXES, other.cloud)
        return f"{prefix}{other.resource_id}_{other.tenant_id}_{other.user_id}"
    return None


def _prefix_for(prefixes: dict[str, Cloud], cloud: Cloud | None) -> str:
    return next(prefix for prefix, its in prefixes.items() if its == (cloud or Cloud.PUBLIC))


def normalise(identifier: Identifier, where: str = "$") -> Identifier:
    """The same party with `kind`, `rawId` and the nested object all present and in agreement.

    The Python SDK never sends `kind`, and callers may send rawId alone; the nested object decides what
    an identifier is (validated: SDK code). Raises ApiError 400/8523 naming `where` if nothing or more
    than one kind is named.
    """
    named = [kind for kind, attribute in OBJECT_OF_KIND.items() if getattr(identifier, attribute)]
    if len(named) > 1:
        raise invalid_body(
            f"One identifier names {' and '.join(named)}: send one of them only.", target=where
        )
    raw_id = raw_id_of(identifier) or identifier.raw_id
    if not raw_id:
        raise invalid_body(
            'An identifier needs rawId or an object such as {"phoneNumber": {"value": "+14255550123"}}.',
            target=where,
        )
    if len(raw_id) > MAX_RAW_ID_LENGTH:
        raise invalid_body(
            f"The raw id {shown(raw_id)} has {len(raw_id)} characters; {MAX_RAW_ID_LENGTH} are allowed.",
            target=where,
        )
    known = from_raw_id(raw_id)
    if known.kind is Kind.UNKNOWN and identifier.communication_user:
        return communication_user(raw_id)
    return known

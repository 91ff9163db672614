"""Several APIs behind one dispatcher."""

import pytest

from onhook.acs import identity_operations, operations, phone_operations, sip_routing_operations
from onhook.acs.errors import ApiError
from onhook.acs.identity_models import CommunicationIdentityCreateRequest
from onhook.acs.wire import Operation
from onhook.server import identity_api, phone_api, sip_routing_api
from onhook.server.surface import Surface, bind

ALL = (
    *operations.OPERATIONS,
    *identity_operations.OPERATIONS,
    *phone_operations.OPERATIONS,
    *sip_routing_operations.OPERATIONS,
)
CREATE = identity_operations.BY_NAME["createUser"]
ISSUE = identity_operations.BY_NAME["issueToken"]
PURCHASE = phone_operations.BY_NAME["purchasePhoneNumbers"]


def surface(*, invalid_body: str = "8523", refused: dict[str, str] | None = None) -> Surface:
    return Surface((CREATE, ISSUE, PURCHASE), ("2023-10-01",), {}, refused or {}, invalid_body)


def test_operations_of_all_apis_have_names_and_places_of_their_own() -> None:
    assert len({operation.name for operation in ALL}) == len(ALL)
    assert len({(operation.method, operation.path) for operation in ALL}) == len(ALL)


@pytest.mark.parametrize(
    ("api", "known"),
    [
        (identity_api, identity_operations.OPERATIONS),
        (phone_api, phone_operations.OPERATIONS),
        (sip_routing_api, sip_routing_operations.OPERATIONS),
    ],
    ids=["identity", "phone", "sip-routing"],
)
def test_every_operation_is_built_or_refused_with_a_reason(api: object, known: tuple[Operation, ...]) -> None:
    built: set[str] = set(getattr(api, "BUILT"))  # noqa: B009  # of three modules
    refused: dict[str, str] = getattr(api, "REFUSED", {})
    assert built | set(refused) == {operation.name for operation in known}
    assert not built & set(refused)
    assert all(reason and not reason.endswith(".") for reason in refused.values())


def test_a_handler_is_bound_to_whom_it_asks() -> None:
    bound = bind(phone_api.BUILT, None)
    assert bound.keys() == phone_api.BUILT.keys()


def test_what_makes_no_sense_is_501_with_its_reason() -> None:
    with pytest.raises(ApiError) as raised:
        surface(refused={"purchasePhoneNumbers": "nothing is sold"}).handler_of(PURCHASE)
    refusal = raised.value
    assert (refusal.status, refusal.code, refusal.target) == (501, "NotSupported", "purchasePhoneNumbers")
    assert refusal.message == "purchasePhoneNumbers is not possible here: nothing is sold."


def test_what_is_not_built_is_501_and_says_where_to_look() -> None:
    with pytest.raises(ApiError) as raised:
        surface().handler_of(PURCHASE)
    assert (raised.value.status, raised.value.code) == (501, "NotImplemented")
    assert "COVERAGE.md" in raised.value.message


def test_a_body_that_may_be_left_out() -> None:
    assert surface().read(CREATE, b"") == CommunicationIdentityCreateRequest()
    assert surface().read(identity_operations.BY_NAME["revokeTokens"], b"whatever") is None
    with pytest.raises(ApiError):
        surface().read(ISSUE, b"")


def test_each_api_has_its_own_code_for_a_body_that_does_not_fit() -> None:
    for code, target in (("8523", "$.expiresInMinutes"), ("ValidationError", "expiresInMinutes")):
        with pytest.raises(ApiError) as raised:
            surface(invalid_body=code).read(CREATE, b'{"expiresInMinutes": 7}')
        assert (raised.value.status, raised.value.code, raised.value.target) == (400, code, target)
    with pytest.raises(ApiError) as whole:
        surface(invalid_body="ValidationError").read(CREATE, b"[]")
    assert whole.value.target == "$"

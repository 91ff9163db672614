"""Events, validation requests and dead letters as they go over the wire, and their headers.

documented: both schemas, the headers (page "Webhooks as event handlers"), the sample of a dead letter.
assumed from public captures: aeg-subscription-name in capitals, aeg-delivery-count beginning with 0,
WebHook-Request-Callback in the OPTIONS request. assumed: a CloudEvent goes out alone, not in an array, as
its content type says (CloudEvents HTTP binding 1.0.2, structured mode).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import msgspec

from onhook.acs.dates import event_time
from onhook.acs.grid_events import DATA_VERSION
from onhook.acs.wire import Model
from onhook.calls.grid import GridDelivery, GridSchema, Subscription, SubscriptionRecord

ORIGIN = "eventgrid.azure.net"
"""Who asks and sends, in the CloudEvents schema: applications compare it with this name."""
METADATA_VERSION = "1"
SPEC_VERSION = "1.0"
VALIDATION_TYPE = "Microsoft.EventGrid.SubscriptionValidationEvent"
CONTENT_TYPES: dict[GridSchema, str] = {
    "eventgrid": "application/json; charset=utf-8",
    "cloudevents": "application/cloudevents+json; charset=utf-8",
}
NO_AZURE_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
REQUEST_RATE = "120"
"""Requests a minute that a CloudEvents endpoint is asked to permit; its answer limits nothing here."""


class Outgoing(NamedTuple):
    """One HTTP request to an endpoint."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    wants_body: bool = False
    """The body of the answer counts; otherwise its status is all that is waited for."""


def topic_of(resource: str) -> str:
    """The topic of a resource, in the shape of the documented samples; subscription and group are ours."""
    return (
        f"/subscriptions/{NO_AZURE_SUBSCRIPTION}/resourcegroups/onhook"
        f"/providers/microsoft.communication/communicationservices/{resource}"
    )


def grid_time(at: float) -> str:
    """Unix seconds as Event Grid writes them: 7 digits of a second and Z."""
    return event_time(at).removesuffix("+00:00") + "Z"


def as_json(data: Model | Mapping[str, Any]) -> bytes:
    """The data of an event. Bytes of strangers that were no UTF-8 are replaced by U+FFFD."""
    try:
        return msgspec.json.encode(data)
    except UnicodeEncodeError:
        return msgspec.json.encode(_repaired(msgspec.to_builtins(data)))


def printable(text: str) -> str:
    """`text` with U+FFFD for what UTF-8 cannot write."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {printable(name): _repaired(item) for name, item in fields.items()}
    if isinstance(value, list):
        return [_repaired(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON of any kind
    return value


def event_fields(delivery: GridDelivery, schema: GridSchema) -> dict[str, Any]:
    data = msgspec.Raw(delivery.data)
    if schema == "cloudevents":
        return {
            "id": delivery.event_id,
            "source": topic_of(delivery.resource),
            "specversion": SPEC_VERSION,
            "type": delivery.event_type,
            "subject": delivery.subject,
            "time": grid_time(delivery.event_at),
            "datacontenttype": "application/json",
            "data": data,
        }
    return {
        "id": delivery.event_id,
        "topic": topic_of(delivery.resource),
        "subject": delivery.subject,
        "data": data,
        "eventType": delivery.event_type,
        "dataVersion": DATA_VERSION,
        "metadataVersion": METADATA_VERSION,
        "eventTime": grid_time(delivery.event_at),
    }


def notification(subscription: Subscription, delivery: GridDelivery) -> Outgoing:
    """The request that delivers an event."""
    schema = subscription.schema
    fields = event_fields(delivery, schema)
    headers = {
        "Content-Type": CONTENT_TYPES[schema],
        "aeg-event-type": "Notification",
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": str(len(delivery.tries)),
        "aeg-output-event-id": delivery.id,
    }
    if schema == "cloudevents":
        headers |= {"aeg-metadata-version": SPEC_VERSION, "Origin": ORIGIN}
    else:
        headers |= {"aeg-metadata-version": METADATA_VERSION, "aeg-data-version": DATA_VERSION}
    body = msgspec.json.encode(fields if schema == "cloudevents" else [fields])
    return Outgoing("POST", subscription.endpoint, headers, body)


def validation(record: SubscriptionRecord, *, event_id: str, at: float, url: str) -> Outgoing:
    """The request that asks an endpoint whether it wants events; `url` validates when it is opened."""
    subscription = record.settings
    if subscription.schema == "cloudevents":
        asking = {
            "WebHook-Request-Origin": ORIGIN,
            "WebHook-Request-Callback": url,
            "WebHook-Request-Rate": REQUEST_RATE,
        }
        return Outgoing("OPTIONS", subscription.endpoint, asking)
    event = {
        "id": event_id,
        "topic": topic_of(subscription.resource),
        "subject": "",
        "data": {"validationCode": record.code, "validationUrl": url},
        "eventType": VALIDATION_TYPE,
        "eventTime": grid_time(at),
        "metadataVersion": METADATA_VERSION,
        "dataVersion": "1",
    }
    headers = {
        "Content-Type": CONTENT_TYPES["eventgrid"],
        "aeg-event-type": "SubscriptionValidation",
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": str(len(record.tries)),
        "aeg-data-version": "1",
        "aeg-metadata-version": METADATA_VERSION,
    }
    return Outgoing("POST", subscription.endpoint, headers, msgspec.json.encode([event]), wants_body=True)


def dead_letter(delivery: GridDelivery, schema: GridSchema) -> bytes:
    """One line of a dead-letter file: the event, and why it stayed undelivered.

    documented: the names are in small letters in the CloudEvents schema.
    """
    last = delivery.tries[-1] if delivery.tries else None
    why: dict[str, Any] = {
        "deadLetterReason": delivery.reason,
        "deliveryAttempts": len(delivery.tries),
        "lastDeliveryOutcome": last.outcome if last else "",
        "publishTime": grid_time(delivery.published_at),
    }
    if last:
        why["lastDeliveryAttemptTime"] = grid_time(last.at)
    if schema == "cloudevents":
        why = {name.lower(): value for name, value in why.items()}
    return msgspec.json.encode(event_fields(delivery, schema) | why) + b"\n"

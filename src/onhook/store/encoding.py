"""Facts and records as MessagePack, whatever strangers put into their texts.

Text read from the wire may hold lone surrogates (bytes that were no UTF-8), which no encoding writes. One
such text must not keep a whole batch out of the store, so it is repaired: each becomes U+FFFD.
"""

from typing import Any

import msgspec

from onhook.calls.grid import GridDelivery, SubscriptionRecord
from onhook.calls.record import CallRecord
from onhook.facts import Fact, Timeline

_encoder = msgspec.msgpack.Encoder()
_facts_decoder = msgspec.msgpack.Decoder(list[Fact])
_record_decoder = msgspec.msgpack.Decoder(CallRecord)
_subscription_decoder = msgspec.msgpack.Decoder(SubscriptionRecord)
_delivery_decoder = msgspec.msgpack.Decoder(GridDelivery)


def encode(value: list[Fact] | CallRecord | SubscriptionRecord | GridDelivery) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_repaired(value))


def decode_facts(body: bytes) -> Timeline:
    """Raises msgspec.MsgspecError for what `encode` never wrote."""
    return _facts_decoder.decode(body)


def decode_record(body: bytes) -> CallRecord:
    """Raises as decode_facts."""
    return _record_decoder.decode(body)


def decode_subscription(body: bytes) -> SubscriptionRecord:
    """Raises as decode_facts."""
    return _subscription_decoder.decode(body)


def decode_delivery(body: bytes) -> GridDelivery:
    """Raises as decode_facts."""
    return _delivery_decoder.decode(body)


def repair(text: str) -> str:
    """`text` with U+FFFD for what UTF-8 cannot write."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return repair(value)
    if isinstance(value, list | tuple):
        return [_repaired(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # of any kind
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        return msgspec.structs.replace(value, **{name: _repaired(getattr(value, name)) for name in names})
    return value

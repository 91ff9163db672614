"""Reading a request body: into its model, or into an error that says where and what was expected."""

import re
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect

from onhook.acs.errors import ApiError, invalid_body, shown
from onhook.acs.wire import Model

PATH_IN_MESSAGE = re.compile(r" - at `(?P<path>[^`]+)`")
JSON_WORDS = {
    "`str`": "a string",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`object`": "an object",
    "`array`": "an array",
    "`null`": "null",
}


@lru_cache(maxsize=64)
def _decoder(model: type[Model]) -> msgspec.json.Decoder[Model]:
    return msgspec.json.Decoder(model)


def read_body(model: type[Model], body: bytes) -> Model:
    """`body` as `model`; raises ApiError 400/8523 whose target is the JSON path at fault.

    Unknown properties are passed over, enumerations are read in any case.
    """
    if not body:
        raise invalid_body(f"The request has no body; a JSON object ({model.__name__}) is required.")
    try:
        return _decoder(model).decode(body)
    except msgspec.ValidationError as fault:
        raise _misfit(model, str(fault)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise invalid_body(f"The body is no JSON: {fault}.") from None


def _misfit(model: type[Model], fault: str) -> ApiError:
    match = PATH_IN_MESSAGE.search(fault)
    path = match["path"] if match else "$"
    what = PATH_IN_MESSAGE.sub("", fault).replace(" | null`", "`")  # to leave it out is always possible
    for ours, plain in JSON_WORDS.items():
        what = what.replace(ours, plain)
    if what.startswith("Invalid enum value") and (values := _values_at(model, path)):
        what = (
            f"{shown(what.removeprefix('Invalid enum value ').strip(chr(39)))} is none of {', '.join(values)}"
        )
    return invalid_body(f"{path}: {what}.", target=path)


def _values_at(model: type[Model], path: str) -> list[str]:
    """The values of the enumeration that stands at a JSON path."""
    kind: inspect.Type = inspect.type_info(model)
    for step in re.findall(r"\.(\w+)|(\[)", path):
        kind = _inside(kind, step[0])
    enum: Any = _bare(kind)
    return [member.value for member in enum.cls] if isinstance(enum, inspect.EnumType) else []


def _bare(kind: inspect.Type) -> inspect.Type:
    """`X | None` and annotated X are X."""
    if isinstance(kind, inspect.UnionType):
        kind = next(t for t in kind.types if not isinstance(t, inspect.NoneType))
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _inside(kind: inspect.Type, property_name: str) -> inspect.Type:
    kind = _bare(kind)
    if isinstance(kind, inspect.StructType):
        return next((f.type for f in kind.fields if f.encode_name == property_name), inspect.AnyType())
    if isinstance(kind, inspect.ListType):
        return kind.item_type
    if isinstance(kind, inspect.DictType):
        return kind.value_type
    return inspect.AnyType()

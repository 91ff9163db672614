"""Stands in for the vendor's test tools, which record and replay: here every test runs live.

What would hide secrets in recordings has nothing to do, and does nothing.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

T = TypeVar("T", bound=Callable[..., Any])


class AzureRecordedTestCase:
    """The base of the test classes."""


def is_live() -> bool:
    return True


def recorded_by_proxy(test: T) -> T:
    """There is no recording proxy: the test as it is."""
    return test


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """No recording proxy to start."""


def _nothing_to_hide(*_: object, **__: object) -> None:
    pass


set_default_session_settings = _nothing_to_hide
set_custom_default_matcher = _nothing_to_hide
remove_batch_sanitizers = _nothing_to_hide
add_general_regex_sanitizer = _nothing_to_hide
add_general_string_sanitizer = _nothing_to_hide
add_header_regex_sanitizer = _nothing_to_hide
add_body_key_sanitizer = _nothing_to_hide

"""The asynchronous decorator."""

from . import recorded_by_proxy

recorded_by_proxy_async = recorded_by_proxy

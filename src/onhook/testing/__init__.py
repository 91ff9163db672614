"""Onhook for tests of applications: a server in a thread, telephones that do as told, endings to expect.

`onhook.pytest_plugin` makes a fixture of it; `onhook exec` runs a test suite of any language against it.
"""

from onhook.testing.calls import Call, Calls
from onhook.testing.endings import UnknownEnding
from onhook.testing.laboratory import Laboratory
from onhook.testing.phones import Phone
from onhook.testing.server import Server, ServerFailed

__all__ = ["Call", "Calls", "Laboratory", "Phone", "Server", "ServerFailed", "UnknownEnding"]

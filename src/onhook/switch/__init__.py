"""Runs calls: inputs in, effects out, deadlines."""

from onhook.switch.asking import Sources
from onhook.switch.switch import Limits, Switch

__all__ = ["Limits", "Sources", "Switch"]

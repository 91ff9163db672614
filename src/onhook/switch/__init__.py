"""Runs calls: inputs in, effects out, deadlines."""

from onhook.switch.asking import Sources
from onhook.switch.switch import Switch
from onhook.switch.world import Announcer, Limits

__all__ = ["Announcer", "Limits", "Sources", "Switch"]

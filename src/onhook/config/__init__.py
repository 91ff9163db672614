"""Configuration: onhook.toml, ONHOOK_… variables and their defaults, checked as a whole.

`load` gives a Config or raises ConfigError with every fault. schema.py is the table of all settings.
"""

from onhook.config.faults import ConfigError, Fault, Place
from onhook.config.load import load
from onhook.config.schema import (
    DEVELOPMENT_KEY,
    CarrierSettings,
    Config,
    DeliverySettings,
    LimitsSettings,
    MediaSettings,
    ServerSettings,
    SipSettings,
    StoreSettings,
)

__all__ = [
    "DEVELOPMENT_KEY",
    "CarrierSettings",
    "Config",
    "ConfigError",
    "DeliverySettings",
    "Fault",
    "LimitsSettings",
    "MediaSettings",
    "Place",
    "ServerSettings",
    "SipSettings",
    "StoreSettings",
    "load",
]

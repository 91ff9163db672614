"""Which feature serves which operation."""

from onhook.calls.features.feature import Feature
from onhook.calls.features.hold import Hold

FEATURES: tuple[type[Feature], ...] = (Hold,)
FEATURE_OF: dict[str, type[Feature]] = {name: feature for feature in FEATURES for name in feature.OPERATIONS}
"""By the operation's name in acs/operations.py."""

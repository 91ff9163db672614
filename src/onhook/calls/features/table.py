"""Which feature serves which operation."""

from onhook.calls.features.continuous_digits import ContinuousDigits
from onhook.calls.features.departures import Departures
from onhook.calls.features.feature import Feature
from onhook.calls.features.hold import Hold
from onhook.calls.features.invitations import Invitations
from onhook.calls.features.media_actions import MediaActions
from onhook.calls.features.moves import Moves
from onhook.calls.features.muting import Muting
from onhook.calls.features.recordings import Recordings
from onhook.calls.features.streams import Streams
from onhook.calls.features.transfers import Transfers

FEATURES: tuple[type[Feature], ...] = (
    Hold,
    MediaActions,
    ContinuousDigits,
    Invitations,
    Departures,
    Muting,
    Streams,
    Transfers,
    Recordings,
    Moves,
)
FEATURE_OF: dict[str, type[Feature]] = {name: feature for feature in FEATURES for name in feature.OPERATIONS}
"""By the operation's name in acs/operations.py."""

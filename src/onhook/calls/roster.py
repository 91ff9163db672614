"""Who of a call is an ACS user, and what subscribers hear of it: started, ended, users added and removed.

Documented (Event Grid, voice and video events): these events speak of users, telephones are left out.
Assumed: an application's own identity in a call is such a user, and a call starts when it is connected.
"""

from onhook.acs.models import CallParticipant
from onhook.effects import Notify


class Roster:
    def __init__(self) -> None:
        self._users: list[str] = []
        self._started = self._ended = False

    def changes(self, participants: list[CallParticipant], *, over: bool) -> list[Notify]:
        """What is new since the last look; `participants` are those in the call now, none once it is over."""
        named = [each.identifier for each in participants if each.identifier is not None]
        users = [each.raw_id for each in named if each.raw_id and each.communication_user is not None]
        news: list[Notify] = []
        if participants and not self._started:
            self._started = True
            news.append(Notify("CallStarted"))
        news += [Notify("CallParticipantRemoved", user) for user in self._users if user not in users]
        news += [Notify("CallParticipantAdded", user) for user in users if user not in self._users]
        self._users = users
        if over and self._started and not self._ended:
            self._ended = True
            news.append(Notify("CallEnded"))
        return news

"""Which events a subscription wants."""

from onhook.calls.grid import Subscription


def passed_over(subscription: Subscription, event_type: str, subject: str) -> str:
    """Empty if the subscription wants the event, else the filter that says no, in words.

    documented: no event types means all; subjects are compared without case unless told otherwise, and
    both ends must fit. assumed: event types are compared exactly.
    """
    if subscription.event_types and event_type not in subscription.event_types:
        return f"its event types are {', '.join(subscription.event_types)}"
    begins, ends = subscription.subject_begins_with, subscription.subject_ends_with
    if not subscription.subject_case_sensitive:
        begins, ends, subject = begins.casefold(), ends.casefold(), subject.casefold()
    if not subject.startswith(begins):
        return f"its subjects begin with {subscription.subject_begins_with}"
    if not subject.endswith(ends):
        return f"its subjects end with {subscription.subject_ends_with}"
    return ""

"""How a command ends: its exit status, and what is said when it cannot be done."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of every verb. The members' meanings are also what `onhook --help` prints."""

    DONE = 0
    NO = 1
    USAGE = 2
    CONFIG = 3
    UNAVAILABLE = 4
    INTERRUPTED = 130


MEANINGS = {
    Exit.DONE: "done",
    Exit.NO: "looked, and the answer is no: code or call not known, an ending was not the expected one",
    Exit.USAGE: "the command line is wrong",
    Exit.CONFIG: "the configuration is wrong; every fault is on a line of its own",
    Exit.UNAVAILABLE: "something is missing or taken: a port, the store, a certificate",
    Exit.INTERRUPTED: "stopped from the keyboard",
}
"""An exception of our own leaves with Python's 1 and a traceback: that is a defect, please report it."""


class CommandError(Exception):
    """The user can mend it: the text is one clear sentence (or a line per fault)."""

    def __init__(self, text: str, status: Exit) -> None:
        super().__init__(text)
        self.status = status

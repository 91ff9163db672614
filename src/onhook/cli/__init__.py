"""The `onhook` command: parser.py lists the verbs, `main` runs one and says in a sentence what went wrong.

Modules that only some verbs need are imported inside them: `onhook why` answers in a tenth of a second.
"""

import contextlib
import os
import sys
from collections.abc import Sequence

from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import complain

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name); returns the exit status, see outcome.Exit."""
    from onhook.cli.parser import build_parser  # noqa: PLC0415  # argparse is not needed by who imports main

    parsed = build_parser().parse_args(arguments)
    try:
        status = int(parsed.run(parsed))
        sys.stdout.flush()
    except CommandError as error:
        complain(str(error))
        return error.status
    except BrokenPipeError:
        # the reader of our output has seen enough (`onhook calls | head`); keep the interpreter's own
        # flush at exit from complaining
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return status

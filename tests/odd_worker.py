"""A worker process that does what its requests say, good or bad: `python -m odd_worker`."""

import os
import sys
import time
from pathlib import Path

from onhook.media.speech.worker_loop import Refused, serve


def handle(body: bytes) -> bytes:
    match body.partition(b" "):
        case (b"pid", _, _):
            return str(os.getpid()).encode()
        case (b"refuse", _, why):
            raise Refused(why.decode())
        case (b"fail", _, why):
            raise ValueError(why.decode())
        case (b"die", _, _):
            os._exit(3)
        case (b"die-once", _, path):
            mark = Path(path.decode())
            if not mark.exists():
                mark.touch()
                os._exit(3)
            return b"alive again"
        case (b"sleep", _, seconds):
            time.sleep(float(seconds))
            return b"slept"
        case (b"print", _, text):
            sys.stdout.write(text.decode())
            sys.stdout.flush()
            os.write(1, text)
            return b"printed"
        case (b"nice", _, _):
            return str(os.nice(0)).encode()
        case _:
            return body[::-1]


if __name__ == "__main__":
    serve(handle)

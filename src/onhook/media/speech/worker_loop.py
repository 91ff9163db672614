"""The inside of a worker process: frames come on standard input, and one answer each goes out.

A frame is its length (4 bytes, little-endian), a kind of one byte, and a body. What libraries print goes to
standard error, so that it never stands between answers. The end of standard input ends the process: it
outlives nobody.
"""

import os
import struct
import sys
import traceback
from collections.abc import Callable
from typing import BinaryIO, Final

READY: Final = b"!"
REQUEST: Final = b"?"
ANSWER: Final = b"="
REFUSED: Final = b"-"
FAULT: Final = b"x"
HEADER: Final = struct.Struct("<Ic")
MAX_BODY_BYTES: Final = 1 << 28
NICENESS: Final = 5
"""Speech may come a little later; RTP may not."""


class Refused(Exception):
    """The request cannot be done, and the text says why; nothing is wrong with the worker."""


def serve(handle: Callable[[bytes], bytes]) -> None:
    """Answer requests until standard input ends. `handle` may raise Refused; all else is a fault."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(NICENESS)
    write_frame(answers, READY, b"")
    while (body := _read_frame(requests)) is not None:
        try:
            kind, answer = ANSWER, handle(body)
        except Refused as refusal:
            kind, answer = REFUSED, str(refusal).encode()
        except Exception:  # noqa: BLE001  # told, and the next request may be better
            kind, answer = FAULT, traceback.format_exc().encode()
        write_frame(answers, kind, answer)


def write_frame(to: BinaryIO, kind: bytes, body: bytes) -> None:
    to.write(HEADER.pack(len(body), kind) + body)
    to.flush()


def _read_frame(requests: BinaryIO) -> bytes | None:
    head = requests.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    length, kind = HEADER.unpack(head)
    if kind != REQUEST or length > MAX_BODY_BYTES:
        return None
    body = requests.read(length)
    return body if len(body) == length else None

"""Cutting SIP messages out of a stream (RFC 3261 sections 7.5 and 18.3, RFC 5626 section 3.5.1)."""

import re
from dataclasses import dataclass

from onhook.sip.headers import parse_length
from onhook.sip.messages import MAX_LINE_CHARACTERS, MAX_MESSAGE_BYTES

PING = b"\r\n\r\n"
"""What `feed` gives for a keep-alive ping; the peer waits for `PONG`."""
PONG = b"\r\n"

_LINE_ENDS = b"\r\n"
_CONTENT_LENGTH = re.compile(rb"\n(?:content-length|l)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FramingError:
    """Where the next message begins cannot be known any more: the connection is to be closed.

    `data` is the message at fault as far as it came. `messages.parse` of it is Malformed, and may hold the
    request to refuse before closing.
    """

    why: str
    data: bytes


class Framer:
    """One direction of one connection: bytes in, whole messages out.

    A message without Content-Length has no body (RFC 3261 section 18.3: a stream must tell its length).
    Lines may end in CRLF or, all of them, in LF: the first line decides.
    """

    __slots__ = ("_buffer", "_message_bytes", "_searched_bytes", "error")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched_bytes = 0
        self._message_bytes = 0
        """Size of the message at the start of the buffer; 0 while its head is not complete."""
        self.error: FramingError | None = None
        """Set once, for good: nothing that comes later is read."""

    def feed(self, data: bytes) -> list[bytes]:
        """Messages that became complete, in order; `PING` stands for the pings between them.

        Look at `error` afterwards: if it is set, close the connection.
        """
        found: list[bytes] = []
        if self.error is not None:
            return found
        self._buffer += data
        while self.error is None and self._buffer:
            if not self._message_bytes:
                if self._skip_line_ends():
                    found.append(PING)
                if not self._measure():
                    break
            if len(self._buffer) < self._message_bytes:
                break
            found.append(bytes(self._buffer[: self._message_bytes]))
            del self._buffer[: self._message_bytes]
            self._message_bytes = self._searched_bytes = 0
        return found

    @property
    def waiting_bytes(self) -> int:
        """How much of an unfinished message is kept; never more than `MAX_MESSAGE_BYTES` and one `feed`."""
        return len(self._buffer)

    def _skip_line_ends(self) -> bool:
        """Drop line ends before a message; True if a ping was among them (several count as one).

        What could be the first part of a ping is kept until more comes.
        """
        buffer = self._buffer
        if buffer[0] not in _LINE_ENDS:
            return False
        run = bytes(buffer[: len(buffer) - len(buffer.lstrip(_LINE_ENDS))])
        unfinished = run.rpartition(PING)[2][-3:] if len(run) == len(buffer) else b""
        del buffer[: len(run) - len(unfinished)]
        return PING in run

    def _measure(self) -> bool:
        """Find the size of the message at the start of the buffer, or what is wrong with it."""
        buffer = self._buffer
        first_end = buffer.find(b"\n")
        if first_end < 0:
            if len(buffer) > MAX_LINE_CHARACTERS:
                self._fail(f"no line end within {MAX_LINE_CHARACTERS} bytes: this is no SIP")
            return False
        if buffer[0] in _LINE_ENDS:
            return False
        blank_line = b"\r\n\r\n" if buffer[first_end - 1] == _LINE_ENDS[0] else b"\n\n"
        end = buffer.find(blank_line, max(0, self._searched_bytes - 3))
        if end < 0:
            self._searched_bytes = len(buffer)
            if len(buffer) > MAX_MESSAGE_BYTES:
                self._fail(f"a header longer than {MAX_MESSAGE_BYTES} bytes")
            return False
        head_bytes = end + len(blank_line)
        lines = [line.decode("latin-1").strip() for line in _CONTENT_LENGTH.findall(buffer, 0, head_bytes)]
        size = parse_length(lines) if lines else 0
        if size is None:
            self._fail(f"Content-Length is not one number: {', '.join(lines)[:60]!r}", head_bytes)
            return False
        if head_bytes + size > MAX_MESSAGE_BYTES:
            self._fail(f"a message of {head_bytes + size} bytes, longer than {MAX_MESSAGE_BYTES}", head_bytes)
            return False
        self._message_bytes = head_bytes + size
        return True

    def _fail(self, why: str, size: int = MAX_MESSAGE_BYTES) -> None:
        self.error = FramingError(why, bytes(self._buffer[: min(size, MAX_MESSAGE_BYTES)]))
        self._buffer.clear()

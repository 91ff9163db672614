"""The values of the headers that the stack itself reads (RFC 3261 sections 20 and 25)."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Via:
    transport: str
    host: str
    port: int | None
    params: dict[str, str | None] = field(default_factory=dict[str, str | None])

    @property
    def branch(self) -> str:
        return self.params.get("branch") or ""


@dataclass(frozen=True, slots=True)
class CSeq:
    number: int
    method: str


@dataclass(frozen=True, slots=True)
class NameAddr:
    """From, To, Contact, Route, … : a display name, a URI, and the parameters of the header."""

    display_name: str
    uri: str
    params: dict[str, str | None] = field(default_factory=dict[str, str | None])

    @property
    def tag(self) -> str:
        return self.params.get("tag") or ""


def split_list(line: str, separator: str = ",") -> list[str]:
    """Split at separators outside quoted strings and angle brackets."""
    if separator not in line:
        return [line.strip()] if line.strip() else []
    parts: list[str] = []
    start = depth = 0
    quoted = escaped = False
    for index, char in enumerate(line):
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char == "<":
            depth += 1
        elif char == ">":
            depth = max(0, depth - 1)
        elif char == separator and not depth:
            parts.append(line[start:index].strip())
            start = index + 1
    parts.append(line[start:].strip())
    return [part for part in parts if part]


def parse_params(text: str) -> dict[str, str | None]:
    """Parameters after a value (";a=b;c"), names lower-case, quotes removed."""
    params: dict[str, str | None] = {}
    for part in split_list(text, ";"):
        name, equals, value = part.partition("=")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        params[name.strip().lower()] = value if equals else None
    return params


def split_host_port(text: str) -> tuple[str, int | None] | None:
    """ "host", "host:port", "[v6]:port"; None if the port is no number."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
    host, port = host.strip(), port.strip()
    if not colon:
        return host, None
    return (host, int(port)) if port.isdigit() and int(port) < 65_536 else None


def parse_via(value: str) -> Via | None:
    sent, _, tail = value.partition(";")
    protocol, _, host_port = sent.strip().replace("\t", " ").rpartition(" ")
    parts = [part.strip() for part in protocol.split("/")]
    where = split_host_port(host_port)
    if len(parts) != 3 or where is None or not where[0]:
        return None
    return Via(parts[2].upper(), *where, parse_params(tail))


def parse_cseq(value: str) -> CSeq | None:
    number, _, method = value.strip().partition(" ")
    if not number.isdigit() or int(number) >= 2**31 or not method.strip():
        return None
    return CSeq(int(number), method.strip())


def parse_name_addr(value: str) -> NameAddr | None:
    if "<" not in value:
        uri, _, tail = value.strip().partition(";")
        return NameAddr("", uri.strip(), parse_params(tail)) if uri else None
    name, _, rest = value.partition("<")
    if value.lstrip().startswith('"'):  # a quoted display name may hold "<"
        end = value.find('"', value.find('"') + 1)
        name, _, rest = value[end + 1 :].partition("<")
        name = value[: end + 1]
    uri, bracket, tail = rest.partition(">")
    if not bracket:
        return None
    return NameAddr(name.strip().strip('"'), uri.strip(), parse_params(tail.lstrip().removeprefix(";")))

"""`onhook pcap`: the SIP of a kept call as a file for Wireshark."""

import sys
from pathlib import Path

from onhook.calls.record import local_addresses
from onhook.cli.kept import find, opened
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import complain, print_json, say
from onhook.endings.packets import Addresses, packets_of
from onhook.endings.pcap import write_pcap

STDOUT = "-"


def pcap(call_id: str, output: str | None, config: str | None, *, json: bool = False) -> int:
    """Into the file `output`, else CALL_ID.pcap here; `-` is standard output, with no JSON beside it."""
    if json and output == STDOUT:
        raise CommandError(
            "--json and --output - cannot go together: both go to standard output.", Exit.USAGE
        )
    with opened(config) as store:
        record = find(store, call_id)
        timeline = store.facts(record.id)
    addresses = Addresses()
    packets = packets_of(timeline, local_addresses(record), addresses)
    if not packets:
        raise CommandError(f"call {record.id} has no SIP: nothing was sent or received for it.", Exit.NO)
    content = write_pcap(packets)
    stand_ins = {name.partition("/")[0]: address for name, address in addresses.names.items()}
    if not json:
        for name, address in stand_ins.items():
            complain(f"{name} is written as {address}: a capture has no room for names.")
    if output == STDOUT:
        sys.stdout.buffer.write(content)
        return Exit.DONE
    path = Path(output or f"{record.id}.pcap")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}.", Exit.UNAVAILABLE) from None
    if json:
        print_json({"id": record.id, "file": str(path), "messages": len(packets), "stand_ins": stand_ins})
    else:
        say(f"{path}: {len(packets)} SIP messages")
    return Exit.DONE

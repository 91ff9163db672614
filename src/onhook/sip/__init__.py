"""SIP without I/O: bytes and time in, outputs and bytes out."""

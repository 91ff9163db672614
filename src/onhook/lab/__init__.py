"""Provokes endings: scenarios, the built-in carrier, virtual time and network."""

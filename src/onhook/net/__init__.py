"""Carries SIP over UDP and TCP."""

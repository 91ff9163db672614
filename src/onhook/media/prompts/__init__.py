"""Prompts: sources are fetched or spoken, checked, cached, and played in order."""

"""Streams of a room to the application's WebSocket: its audio, both ways, or what is said in it."""

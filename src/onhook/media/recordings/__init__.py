"""Recordings of rooms: sound files with their metadata, kept here or handed to a store of the application."""

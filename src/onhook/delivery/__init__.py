"""From the outbox to the application."""

"""Keeps calls, facts and the outbox."""

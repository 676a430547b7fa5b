"""Owns the state machine and the database of payments."""

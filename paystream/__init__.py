"""The operators' command. It knows which service answers what, and nothing of their work."""

"""Stripe as its published documents describe it; its paths stand below /stripe."""

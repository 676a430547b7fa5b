"""PayPal as its published documents describe it."""

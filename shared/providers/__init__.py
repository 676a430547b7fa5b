"""One adapter per provider behind one interface; the only code that knows a provider's ways."""

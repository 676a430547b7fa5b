"""The four services. They meet only in `shared.messages`."""

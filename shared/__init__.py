"""The kit under every service: messages, money, errors, and one mechanism for moving work safely."""

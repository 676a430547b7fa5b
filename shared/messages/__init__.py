"""Every message there is. The golden JSON of each stands in tests/contract/messages/."""

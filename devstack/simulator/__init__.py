"""Payment providers on this machine, for tests and demos: an independent witness of the money.

Imports nothing from the services it watches. What all providers share (ledger, deliveries,
faults, clock, control pages) stands here; each provider has its own package beside it.
"""

"""Measures the system on this machine, beside a plain peer and the machine's own limits."""

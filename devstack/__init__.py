"""Everything a developer's machine stands in for: engines, mail, provider, shop."""

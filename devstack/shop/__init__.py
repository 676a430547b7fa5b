"""A demo storefront on an origin of its own: what a shop that uses Paystream does, and no more."""

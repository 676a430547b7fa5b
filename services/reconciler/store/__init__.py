"""SQL of the reconciler's own tables."""

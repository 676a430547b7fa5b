"""The reconciler's rules: pure functions, testable without a server."""

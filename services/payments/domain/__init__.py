"""The rules about money: pure functions over frozen data."""

"""Seeded bugs: each is a small change to a copy of our code that a named test must catch.

A checker that has never failed is no evidence. `make mutants` applies them one by one and prints
caught / total. To add some: a module here whose name ends in `_mutants`, with a tuple `MUTANTS`.
"""

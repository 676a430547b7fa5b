"""Tests. A package of its own: a library that we install brings another one of this name."""

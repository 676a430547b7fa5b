"""A scripted day: buyers, a shop, a bank and some bad luck; then every book is compared."""

from devstack.demo.day import run

__all__ = ["run"]

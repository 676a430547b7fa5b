"""A tiny service on the kit: accounts, deposits, withdrawals under idempotency keys, payouts outside."""

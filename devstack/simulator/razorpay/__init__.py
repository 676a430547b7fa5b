"""Razorpay as its own documentation describes it: orders, payments, checkout, webhooks."""

"""Razorpay. Facts: Razorpay docs (Orders, Payments, Webhooks, Errors) and the SDK `razorpay` 2.0.1."""

from shared.providers.razorpay.adapter import RazorpayAdapter

__all__ = ["RazorpayAdapter"]

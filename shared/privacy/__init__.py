"""One customer's personal data are blanked on request; what arrives late does not bring them back."""

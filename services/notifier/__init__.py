"""The notifier: a document and a mail for every paid order, each exactly once."""

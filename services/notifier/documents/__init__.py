"""Documents: the words and figures of one (sheet), and its PDF (typeset)."""

"""A mail server that delivers nothing: it keeps what it is given and shows it."""

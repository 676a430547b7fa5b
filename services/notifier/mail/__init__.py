"""Mail: what it says (compose) and how it is handed to the server (smtp)."""

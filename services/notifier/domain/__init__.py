"""Who gets which document and mail, and when: pure functions, no server needed to test them."""

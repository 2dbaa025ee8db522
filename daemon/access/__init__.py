"""Who may do what: tokens, what they allow, and the certificates of TLS."""

"""Who may do what: TLS, tokens and roles, limits of a token, the audit lines."""

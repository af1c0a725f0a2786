"""``rybbit-async doctor``: what a user is asked in every bug report, and nothing secret."""

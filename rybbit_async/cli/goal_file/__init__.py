"""Goals as code: a file that says which goals sites have, and what makes a server agree with it."""

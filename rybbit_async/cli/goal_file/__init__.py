"""Goals as code: a file that says which goals sites have, compared with a server and applied to it."""

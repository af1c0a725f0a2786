"""What a caller passes, checked and turned into query parameters. Pure: no I/O, no clock."""

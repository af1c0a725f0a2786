"""What hangs on the client, and the lists of the API as data."""

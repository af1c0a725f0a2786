"""Contract tests of the embedded server, over its socket."""

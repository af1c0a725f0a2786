"""Sending requests: HTTP, retries, pacing, authentication, routes, what a server can do."""

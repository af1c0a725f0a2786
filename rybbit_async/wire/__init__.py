"""Bytes to models and back: requests and responses, JSON, pages of rows, single objects."""

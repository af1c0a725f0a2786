"""Bytes to models and back: JSON, the converter, the row decoder, requests and responses."""

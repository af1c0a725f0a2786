"""Exports of the lists of one or many sites to files."""

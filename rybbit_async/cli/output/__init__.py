"""How commands show rows: tables for people, and JSON, CSV and Parquet for programs."""

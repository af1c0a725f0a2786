"""The options that several commands have. Imported for every help page, so they import little."""

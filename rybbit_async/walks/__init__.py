"""Walking lists page by page, exactly once. Nothing here knows HTTP."""

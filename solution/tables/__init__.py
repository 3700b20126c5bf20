"""The rows themselves, one file per group of tables."""

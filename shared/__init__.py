"""The outside world and the words for it; knows nothing of flows or mappings."""

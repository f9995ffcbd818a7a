"""The store's own box: the only holder of keys and of the cache; hears HQ, answers tablets."""

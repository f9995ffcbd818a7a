"""One module a revision, numbered; what was released is never changed."""

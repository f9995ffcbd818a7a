"""HQ: the only writer of consent; folds members' choices, publishes to stores, answers their heartbeats."""

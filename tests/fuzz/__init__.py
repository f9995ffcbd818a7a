"""Random bytes, steered by what they reach, against everything that reads what strangers send."""

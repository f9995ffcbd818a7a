"""What every program of ours needs to be one: configuration, logs, notification, a top."""

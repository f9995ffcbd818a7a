"""HQ and a store over the brokers that people run: one suite, three engines."""

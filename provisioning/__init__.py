"""Writes what boxes, HQ and the broker need to begin: keys, certificates, configuration, units."""

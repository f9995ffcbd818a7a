"""Learns from purchases what suggestions need of others' habits: tables and weights that give nobody's basket away."""

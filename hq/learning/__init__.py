"""Learns from purchases what suggestions need of others' habits: tables and weights, of which no basket can be read out."""

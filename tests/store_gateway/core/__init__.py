"""Tests of the gateway's pure core."""

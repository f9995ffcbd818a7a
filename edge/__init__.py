"""Hears adverts and forwards candidate tokens; holds no keys and no database."""

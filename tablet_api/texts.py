"""Every sentence.

Pure: no I/O, no clock.
"""

ENGLISH: dict[str, str] = {}

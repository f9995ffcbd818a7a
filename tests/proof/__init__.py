"""Proofs: whatever the broker, the power and the disk do, the store ends where HQ is and shows nothing it may not."""

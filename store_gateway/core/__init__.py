"""What the gateway decides without touching the world."""

"""What a member's choices allow: one decision, and the card built from it."""

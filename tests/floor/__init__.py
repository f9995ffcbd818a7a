"""A simulated shop floor: its plan, its people, its air, and what the real gateway makes of them."""

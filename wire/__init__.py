"""What crosses a boundary: one pure module per boundary."""

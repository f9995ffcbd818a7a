"""What may be suggested, and what is likeliest to be wanted: from item ids, times and counts alone."""

"""HQ's web: what members, the loyalty app, the retailer's systems and its staff call over HTTPS."""

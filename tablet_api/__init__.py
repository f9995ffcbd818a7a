"""What the associates' tablets talk to: HTTPS on the store's network, holding no member, no key and no database."""

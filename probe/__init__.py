"""The probe: phone, receiver and tablet of a store's synthetic member."""

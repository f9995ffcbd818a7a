"""The edge against the real BlueZ, in a virtual machine whose radios are programs."""

"""The bounds that several messages share.

Pure: no I/O, no clock.
"""

from typing import Annotated

from wire.schema import Range, Size, exactly

MAX_PAYLOAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 48 * 1024

StoreId = Annotated[str, Size(1, 40)]
Seq = Annotated[int, Range(0, 2**64 - 1)]
Millis = Annotated[int, Range(0, 2**53)]
Epoch = Annotated[int, Range(0, 2**31 - 1)]
Id16 = Annotated[bytes, exactly(16)]
InstanceId = Annotated[str, Size(3, 64)]

"""HTTP/1.1 on asyncio: one hand-written protocol for the front door and the Runtime API. Knows nothing of AWS."""

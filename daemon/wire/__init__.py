"""gRPC over HTTP/2 on asyncio: connections, calls, and nothing of markets."""

"""gRPC without the boilerplate: calls are registered, checked and answered from descriptors."""

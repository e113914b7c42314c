"""The HTTP service and its page; reserved for the service that comes later."""

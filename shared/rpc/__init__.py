"""gRPC as every service uses it: server life, streams, errors to statuses, options."""

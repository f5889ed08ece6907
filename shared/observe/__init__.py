"""What each service counts and measures of itself, and how Prometheus reads it."""

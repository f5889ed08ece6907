"""Starts and stops the three services as processes of this machine."""

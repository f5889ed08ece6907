"""The demo: pictures of the drawn set through good and bad channels, measured, tabled and drawn."""

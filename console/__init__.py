"""The console: the link on a page, in a browser of this machine. It speaks to the services through `client` alone."""

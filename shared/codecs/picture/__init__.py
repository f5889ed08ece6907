"""Pictures as messages: conventional picture coding, and networks that send pixels."""

"""How well pictures that were sent for a question answer it: `semlink evaluate ask`."""

"""The `semlink` command, one file for each group of commands."""

"""Scenarios of `semlink evaluate` and experiments on channels; and scripts that train and evaluate in one."""

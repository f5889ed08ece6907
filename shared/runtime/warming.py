"""What is slow the first time is done once, in a thread of its own, before the first burst that needs it."""

import asyncio
from collections.abc import Callable


class Warming:
    """First uses by name. Others go on meanwhile; whoever needs the same waits for it."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[object]] = {}

    def done(self, name: str) -> bool:
        """Whether `ready` of this name has returned."""
        task = self._tasks.get(name)
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    async def ready(self, name: str, first_use: Callable[[], object]) -> None:
        """Return when `first_use` has been run. Raises what it raised; then the next one who asks tries again."""
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(asyncio.to_thread(first_use))
        task = self._tasks[name]
        try:
            await asyncio.shield(task)  # whoever waits may go, the work stays
        except Exception:
            if self._tasks.get(name) is task:
                del self._tasks[name]
            raise

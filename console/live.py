"""The tab Live: a stream of pictures over the running channel, and what becomes of it, as curves."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final, get_args

from nicegui import events, ui

from client import SemLinkError
from console import charts, live_sources
from console.controls import snr_slider
from console.gallery import Gallery
from console.link import Link
from console.live_figures import LiveFigures, sample_of
from console.live_recording import NAME, Tape
from console.live_sources import CAMERA, FOLDER, QUERY_SET, SOURCES, Frame
from console.parts import ErrorLine, tagged
from shared.frame.channel_records import ScheduleState
from shared.phy.conditions.schedule import Schedule
from shared.phy.conditions.settings import FadingName

_DRAW_SECONDS: Final = 0.5
_MOST_IN_FLIGHT: Final = 32
_MOST_DB: Final = 40.0
_CHARTS: Final[tuple[tuple[str, str, tuple[str, ...], str, float | None, float | None], ...]] = (
    ("live-accuracy", "Accuracy, rolling, with its 95 % interval", ("lower", "upper", "accuracy"), "", 0.0, 1.0),
    ("live-snr", "SNR of each burst", ("asked", "achieved"), "dB", None, None),
    ("live-latency", "Latency, emulated stages included", ("p50", "p95"), "ms", None, None),
    ("live-confidence", "Confidence, rolling", ("confidence",), "", 0.0, 1.0),
)


class LiveTab:
    """One page's tab. It sends while its page is open and not paused; the channel's settings hold for everybody."""

    def __init__(self, link: Link, _: Gallery) -> None:
        self._link = link
        self._figures = LiveFigures()
        self._started = monotonic()
        self._running: asyncio.Task[None] | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self._tape: Tape | None = None
        self._client = ui.context.client
        with ui.card().classes("w-full"):
            self._stream_controls()
            self._channel_controls()
            self._timeline = tagged(ui.echart({"series": []}).classes("w-full h-52"), "live-timeline")
            self._timeline.set_visibility(False)
            self._summary = tagged(ui.label("nothing sent yet"), "live-summary")
            self._error = ErrorLine("live-error")
        self._charts: list[tuple[ui.echart, tuple[str, ...]]] = []
        with ui.row().classes("w-full gap-4"):
            for name, heading, curves, unit, least, most in _CHARTS:
                with ui.card().classes("half"):
                    ui.label(heading).classes("text-lg")
                    chart = ui.echart(charts.lines(curves, unit, minimum=least, maximum=most))
                    self._charts.append((tagged(chart.classes("w-full h-64"), name), curves))
        ui.timer(_DRAW_SECONDS, self._draw)
        self._client.on_delete(self._gone)

    def _stream_controls(self) -> None:
        with ui.row().classes("w-full items-center gap-4"):
            self._source = tagged(ui.select(list(SOURCES), value=QUERY_SET, label="pictures"), "live-source")
            self._source.classes("w-32")
            self._folder = tagged(ui.input("folder, on the console's machine"), "live-folder").classes("w-64")
            self._folder.bind_visibility_from(self._source, "value", lambda value: value == FOLDER)
            video = ui.element("video").props("autoplay playsinline muted").classes(f"{live_sources.VIDEO} w-20 h-20")
            video.bind_visibility_from(self._source, "value", lambda value: value == CAMERA)
            self._button = tagged(ui.button("Start", icon="play_arrow", on_click=self._toggle), "live-start")
            self._rate = ui.number("pictures a second", value=5, min=0.2, max=100).classes("w-40")
            self._harq = ui.switch("HARQ")
            record = ui.button("Record", icon="fiber_manual_record", on_click=self._record).props("flat")
            self._record_button = tagged(record.tooltip("the channel's symbols as SigMF, of everybody"), "live-record")
            ui.button("CSV", icon="download", on_click=self._export).props("flat")
            ui.button("Forget", icon="restart_alt", on_click=self._forget).props("flat")

    def _channel_controls(self) -> None:
        with ui.row().classes("w-full items-center gap-4"):
            self._snr = snr_slider("live-snr-slider", 10, _MOST_DB, "SNR for everybody")
            self._snr.on("change", lambda: self._set(snr_db=float(self._snr.value)))
            self._fading = ui.select(list(get_args(FadingName)), value="none", label="fading").classes("w-32")
            self._fading.on_value_change(lambda: self._set(fading=self._fading.value))
            self._preset = ui.select([], label="preset", on_change=self._use_preset).classes("w-48").props("clearable")
            ui.button("Reset", on_click=self._reset).props("flat")
            ui.upload(label="scenario (TOML)", auto_upload=True, on_upload=self._schedule).props(
                'flat dense accept=".toml"'
            ).classes("w-56")
        self._scenario = ui.label().classes("text-sm")
        ui.timer(1.0, self._follow_scenario)

    async def _offer_presets(self) -> None:
        with suppress(SemLinkError):
            presets = await self._link.channel(lambda client: client.presets())
            self._preset.set_options([preset.name for preset in presets])
            await self._read_channel()

    async def _read_channel(self) -> None:
        """Let the controls say what the channel does."""
        settings = await self._ask(lambda client: client.get())
        if settings is not None:
            self._snr.set_value(min(settings.snr_db, _MOST_DB))
            self._fading.set_value(settings.fading)

    async def _ask(self, question: Any) -> Any:
        """What the channel answers, or None with the error shown."""
        return await self._error.answer_of(self._link.channel(question))

    async def _set(self, **settings: Any) -> None:
        await self._ask(lambda client: client.set(**settings))

    async def _use_preset(self) -> None:
        if self._preset.value:
            await self._ask(lambda client: client.set(preset=self._preset.value))
            await self._read_channel()

    async def _reset(self) -> None:
        await self._ask(lambda client: client.reset())
        await self._read_channel()

    async def _schedule(self, event: events.UploadEventArguments) -> None:
        """Run a scenario of a TOML file; traces beside it cannot be found from here."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(event.file.name).name
            file.write_bytes(await event.file.read())
            await self._ask(lambda client: client.schedule(Schedule.from_file(file)))
        event.sender.run_method("reset")

    async def _follow_scenario(self) -> None:
        """Show the scenario that runs, with a cursor where it stands."""
        if self._link.away["channel"]:
            return
        if not self._preset.options:
            await self._offer_presets()
        with suppress(SemLinkError):  # that the channel is away the head of the page says
            self._show_scenario(await self._link.channel(lambda client: client.scheduled()))

    def _show_scenario(self, state: ScheduleState) -> None:
        running = state.schedule is not None
        self._timeline.set_visibility(running)
        name = state.schedule.name if state.schedule else ""
        self._scenario.set_text(f"scenario {name} at {state.seconds:.1f} s" if running else "")
        if state.schedule is not None:
            self._timeline.options.clear()
            self._timeline.options.update(charts.timeline(state.schedule, state.seconds))
            self._timeline.update()

    def _toggle(self) -> None:
        if self._running is not None:
            self._stop()
            self._show_running(False)
            return
        self._error.say("")
        self._running = asyncio.create_task(self._run())
        self._show_running(True)

    def _show_running(self, running: bool) -> None:
        self._button.set_text("Pause" if running else "Start")
        self._button.set_icon("pause" if running else "play_arrow")

    async def _record(self) -> None:
        """Begin a recording, or end it and save it."""
        if self._tape is None:
            try:
                tape = Tape(self._link.addresses["channel"])
            except SemLinkError as error:
                self._error.say(str(error))
                return
            self._tape = await self._error.answer_of(tape.start())
        else:
            tape, self._tape = self._tape, None
            archive = await self._error.answer_of(tape.stop())
            if archive is not None:
                ui.download.content(archive, f"{NAME}.sigmf", "application/x-tar")
        self._record_button.set_text("Record" if self._tape is None else "End recording")

    async def _gone(self) -> None:
        """The page is closed: nothing goes on for it."""
        self._stop()
        if self._tape is not None:
            with suppress(SemLinkError):
                await self._tape.stop()

    def _stop(self) -> None:
        """Send no more; also when the page is gone, and nothing can be drawn."""
        if self._running is not None:
            self._running.cancel()
            self._running = None

    async def _run(self) -> None:
        """Send until it is paused, or the source says why it gives nothing."""
        pictures = live_sources.frames(str(self._source.value), str(self._folder.value or ""), self._client)
        try:
            async with aclosing(pictures):
                await self._send_all(pictures)
        except (SemLinkError, TimeoutError) as error:
            self._running = None
            self._error.say(str(error) or "the camera's page does not answer")
            self._show_running(False)

    async def _send_all(self, pictures: AsyncGenerator[Frame]) -> None:
        """Send at the rate; at most 32 at a time, so that a slow link slows the stream down."""
        async for frame in pictures:
            if len(self._in_flight) < _MOST_IN_FLIGHT:
                task = asyncio.create_task(self._send(frame.data, frame.label))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
            await asyncio.sleep(1.0 / max(0.2, float(self._rate.value or 1.0)))

    async def _send(self, data: bytes, label: str) -> None:
        outcome: Any
        try:
            outcome = await self._link.near.send(data, ask_for_more=bool(self._harq.value))
        except SemLinkError as error:
            outcome = error
        self._figures.add(sample_of(monotonic() - self._started, label, outcome))

    def _draw(self) -> None:
        if self._running is None and not self._in_flight:
            return
        self._summary.set_text(self._figures.summary)
        last = self._figures.samples[-1] if self._figures.samples else None
        if last is not None:
            self._error.say(last.error)
        for chart, curves in self._charts:
            for place, name in enumerate(curves):
                chart.options["series"][place]["data"] = list(self._figures.curves.get(name, ()))
            chart.update()

    def _export(self) -> None:
        ui.download.content(self._figures.csv(), "semlink-live.csv", "text/csv")

    def _forget(self) -> None:
        self._figures, self._started = LiveFigures(), monotonic()
        self._summary.set_text(self._figures.summary)

"""`semlink channel`: the settings of the running channel."""

from typing import Annotated

import typer

from client.cli.console import ChannelAt, Json, out, print_json
from client.connection import CHANNEL
from client.delivery import settings_json
from client.options import ChannelOptions
from shared.channel import ChannelSettings, FadingName
from shared.errors import InvalidSetting

app = typer.Typer(no_args_is_help=True, help="Read and change the channel that all pictures go through.")


@app.command()
def get(channel: ChannelAt = CHANNEL, json: Json = False) -> None:
    """Show the channel's settings.

    - `semlink channel get --json`
    """
    from client.control import ChannelControl  # noqa: PLC0415

    with ChannelControl(channel) as control:
        _show(control.get(), json)


@app.command("set")
def set_(
    *,
    snr_db: Annotated[float | None, typer.Option(help="Average Es/N0 in dB, -50 to 100, or inf for no noise.")] = None,
    fading: Annotated[FadingName | None, typer.Option(help="none: h = 1; rayleigh: one gain a picture.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random draw.")] = None,
    symbol_rate_hz: Annotated[float | None, typer.Option(help="Symbols per second, for the emulated airtime.")] = None,
    propagation_seconds: Annotated[float | None, typer.Option(help="Emulated one-way delay, 0 to 10.")] = None,
    channel: ChannelAt = CHANNEL,
    json: Json = False,
) -> None:
    """Change some settings, all at once; the others stay.

    - `semlink channel set --snr-db 0 --fading rayleigh`
    - `semlink channel set --snr-db inf --fading none` — a perfect channel
    """
    from client.control import ChannelControl  # noqa: PLC0415

    settings = ChannelOptions(
        snr_db=snr_db,
        fading=fading,
        seed=seed,
        symbol_rate_hz=symbol_rate_hz,
        propagation_seconds=propagation_seconds,
    )
    if all(value is None for value in settings.values()):
        raise InvalidSetting("nothing to set; name a setting, for example --snr-db 5")
    with ChannelControl(channel) as control:
        _show(control.set(**settings), json)


@app.command()
def reset(channel: ChannelAt = CHANNEL, json: Json = False) -> None:
    """Go back to the settings that the channel was started with.

    - `semlink channel reset`
    """
    from client.control import ChannelControl  # noqa: PLC0415

    with ChannelControl(channel) as control:
        _show(control.reset(), json)


def _show(settings: ChannelSettings, json: bool) -> None:
    from rich.table import Table  # noqa: PLC0415

    document = settings_json(settings)
    if json:
        print_json(document)
        return
    table = Table.grid(padding=(0, 2))
    for name, value in document.items():
        table.add_row(name, "none" if value is None else str(value))
    out.print(table)

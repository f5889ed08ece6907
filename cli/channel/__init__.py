"""`semlink channel`: read, change, watch and record the channel that all pictures go through."""

from cli.lazy import Command, lazy_app

app = lazy_app(
    "Read, change, watch and record the channel that all pictures go through.",
    {
        "get": Command("cli.channel.settings:get", "Show the settings in force."),
        "set": Command("cli.channel.settings:set_", "Change some settings, all at once; the others stay."),
        "reset": Command("cli.channel.settings:reset", "Go back to the settings that the channel was started with."),
        "presets": Command("cli.channel.settings:presets", "List typical channels, with the sources of their figures."),
        "schedule": Command("cli.channel.settings:schedule", "Start a schedule of settings and faults over time."),
        "watch": Command("cli.channel.watch:watch", "Show live statistics of the channel."),
        "record": Command("cli.channel.recording:record", "Record every burst that passes, as SigMF."),
        "replay": Command("cli.channel.recording:replay", "Send recorded bursts to the receiver again."),
    },
)

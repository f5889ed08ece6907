"""`python -m channel_proxy`: the channel as a process."""

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from shared.rpc.main import main

if __name__ == "__main__":
    main("python -m channel_proxy", ProxySettings, ChannelService)

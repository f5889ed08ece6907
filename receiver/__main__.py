"""`python -m receiver`: the receiver as a process."""

from receiver.service import ReceiverService
from receiver.settings import ReceiverSettings
from shared.rpc.main import main

if __name__ == "__main__":
    main("python -m receiver", ReceiverSettings, ReceiverService)

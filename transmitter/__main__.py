"""`python -m transmitter`: the transmitter as a process."""

from shared.rpc.main import main
from transmitter.service import TransmitterService
from transmitter.settings import TransmitterSettings

if __name__ == "__main__":
    main("python -m transmitter", TransmitterSettings, TransmitterService)

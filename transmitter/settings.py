"""Settings of the transmitter."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.codecs.base.contract import DEFAULT_DESIGN_SNR_DB, DesignFading
from shared.frame.burst import Csi, Framing
from shared.phy import PilotPattern
from shared.runtime.config import CallingSettings, ModelSettings


class TransmitterSettings(CallingSettings, ModelSettings):
    """Flags of `python -m transmitter`, or environment variables SEMLINK_TRANSMITTER_*."""

    model_config = SettingsConfigDict(env_prefix="SEMLINK_TRANSMITTER_")

    port: int = Field(50051, ge=0, le=65535, description="port to listen on; 0 lets the system choose")
    channel_address: str = Field("127.0.0.1:50052", description="HOST:PORT of the channel proxy")
    clip: str = Field("clip-tiny", description="CLIP model: clip-tiny, clip-scenes or any name that open_clip knows")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where CLIP and codecs run")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic of CLIP; auto: the faster"
    )
    clip_engine: Literal["auto", "torch", "openvino"] = Field(
        "auto", description="what runs CLIP's image tower; auto: the faster, found by measuring at start"
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="processor threads of the encoder; default: one a core"
    )
    codec: str = Field("nested", description="codec of requests that name none")
    k: int | None = Field(None, description="its length; default: the codec's own default")
    csi: Csi = Field("pilot", description="what the receiver knows of the channel; perfect is a genie")
    pilot_symbols: int = Field(8, ge=2, le=1024, description="pilots of a burst with csi pilot")
    pilot_pattern: PilotPattern = Field(
        "preamble", description="pilot pattern: preamble, one gain for the burst; scattered, the gain is tracked"
    )
    framing: Framing = Field(
        "implicit",
        description="how the receiver learns what a burst is: implicit (configured before), explicit (a coded header, "
        "which can be lost), or ideal, a genie",
    )
    design_snr_db: float = Field(
        DEFAULT_DESIGN_SNR_DB,
        ge=-20,
        le=40,
        description="SNR in dB that codecs are told to expect, where they care; see snr_feedback",
    )
    design_fading: DesignFading = Field(
        "none", description="kind of fading that codecs are told to expect, where they care: none or rayleigh"
    )
    snr_feedback: bool = Field(False, description="expect instead what the receiver's last answer says it estimated")
    deterministic: bool = Field(
        False,
        description="work on one picture at a time: slower, and no bit depends on what is in flight beside it",
    )
    question_at_receiver: bool = Field(
        True,
        description="whoever asks sits at the receiver, which knows the question; else it is sent over the air",
    )
    batch_size: int = Field(32, ge=1, le=4096, description="most pictures encoded together")
    batch_wait_seconds: float = Field(
        0.004, ge=0, le=1, description="how long a free encoder waits for a batch as large as the last one"
    )
    preprocess_threads: int = Field(2, ge=1, le=256, description="threads that decode and resize pictures")
    max_in_flight: int = Field(256, ge=1, le=65536, description="pictures at work; beyond it RESOURCE_EXHAUSTED")
    max_in_flight_per_stream: int = Field(
        64, ge=1, le=65536, description="pictures of one stream at work; beyond it the sender waits"
    )
    timeout_seconds: float = Field(
        60.0, gt=0, le=3600, description="deadline of a picture whose sender names none, so that nothing waits forever"
    )
    max_picture_bytes: int = Field(32 << 20, ge=1, le=1 << 30, description="largest picture file")
    max_picture_pixels: int = Field(64_000_000, ge=1, le=1_000_000_000, description="most pixels of a picture")

    @property
    def encoded_together(self) -> int:
        """Most pictures in one batch of the encoder."""
        return 1 if self.deterministic else self.batch_size

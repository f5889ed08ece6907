"""Settings of the receiver."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.frame.burst import AcceptedFraming
from shared.phy import EqualizerName
from shared.runtime.config import ModelSettings, ServerSettings


class ReceiverSettings(ServerSettings, ModelSettings):
    """Flags of `python -m receiver`, or environment variables SEMLINK_RECEIVER_*."""

    model_config = SettingsConfigDict(env_prefix="SEMLINK_RECEIVER_")

    port: int = Field(50053, ge=0, le=65535, description="port to listen on; 0 lets the system choose")
    kb: Path = Field(Path("out/kb"), description="directory of the knowledge base")
    kb_source: str | None = Field(
        None,
        description="what to build the knowledge base from if there is none: drawn, scenes, cifar100:DIR, DIR",
    )
    kb_split: str | None = Field(None, description="split of that source; default: its part for knowledge bases")
    read_only: bool = Field(
        False, description="only read the knowledge base, and follow its writer; so many receivers can share one"
    )
    share: bool = Field(
        False, description="where another receiver writes the knowledge base already, only read it, and follow"
    )
    engine: str = Field("auto", description="index engine; auto: as tuned, else what suits the number of items")
    clip: str | None = Field(
        None, description="CLIP model; default: the knowledge base's, and clip-tiny to build one with"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where codecs and index run")
    clip_engine: Literal["auto", "torch", "openvino"] = Field(
        "auto", description="what runs CLIP's image tower; auto: the faster, found by measuring when it is needed"
    )
    engine_uri: str | None = Field(None, description="of engine milvus: FILE.db for Milvus Lite, or http://HOST:19530")
    threads: int = Field(
        1, ge=1, le=1024, description="torch threads; decoding is little work, more threads only compete for the cores"
    )
    equalizer: EqualizerName = Field(
        "level", description="how the gain is undone: zf, mmse, or level (power-normalised MMSE)"
    )
    framing: AcceptedFraming = Field(
        "any", description="framing that bursts must have: ideal (a genie), implicit, explicit, or any of them"
    )
    accept_confidence: float = Field(0.5, ge=0, le=1, description="answers less confident than this are not accepted")
    deterministic: bool = Field(
        False,
        description="work on one burst at a time: slower, and no bit depends on what is in flight beside it",
    )
    batch_size: int = Field(64, ge=1, le=4096, description="most bursts decoded together")
    batch_wait_seconds: float = Field(
        0.002, ge=0, le=1, description="how long a free decoder waits for a batch as large as the last one"
    )
    max_sessions: int = Field(
        4096,
        ge=1,
        le=1 << 20,
        description="most sessions of HARQ, and of questions, that are kept; the least recently used are dropped",
    )
    session_seconds: float = Field(
        60.0, gt=0, le=3600, description="how long a session of HARQ, or of questions, is kept after its last burst"
    )
    max_in_flight: int = Field(256, ge=1, le=65536, description="bursts of one stream at work; beyond it senders wait")

    @property
    def decoded_together(self) -> int:
        """Most bursts in one batch of the decoder."""
        return 1 if self.deterministic else self.batch_size

"""The one reader of environment variables and flags.

A service's settings are a frozen, typed pydantic model. Each field is a flag (`--batch-size 32`) and an environment
variable (`SEMLINK_TRANSMITTER_BATCH_SIZE=32`); the flag wins, then the environment, then the default.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, CliSettingsSource, SettingsConfigDict

from shared.errors import InvalidInput, InvalidSetting
from shared.local_path import local_path
from shared.printable import joined, shortened, shown
from shared.quantity import without_unit


class ServerSettings(BaseSettings):
    """What every SemLink server can be told."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", cli_kebab_case=True, cli_implicit_flags=True, cli_hide_none_type=True
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(0, ge=0, le=65535, description="port to listen on; 0 lets the system choose")
    announce: Path | None = Field(None, description="file to write HOST:PORT to once the port is bound")
    heartbeat: Path | None = Field(
        None, description="file that is touched every second while the service is ready, for cheap health checks"
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port of /metrics for Prometheus; 0 lets the system choose; default: none"
    )
    grace_seconds: float = Field(4.0, ge=0, le=60, description="time for work in flight to finish on SIGTERM")
    stop_with_stdin: bool = Field(False, description="stop when standard input ends, so as not to outlive a supervisor")
    max_message_bytes: int = Field(48 << 20, ge=1 << 16, le=1 << 30, description="largest gRPC message")
    max_calls: int = Field(
        1024, ge=1, le=1 << 20, description="calls of all clients at work, streams among them; further ones are refused"
    )
    max_bytes_in_flight: int = Field(
        128 << 20,
        ge=1 << 20,
        le=1 << 40,
        description="bytes of all requests at work; beyond it calls are refused, and streams wait",
    )
    idle_seconds: float = Field(
        900.0, gt=0, le=86400, description="a stream of requests that brings none for so long is closed"
    )
    tls_cert: Path | None = Field(None, description="certificate of this service, PEM; then it speaks TLS alone")
    tls_key: Path | None = Field(None, description="its private key, PEM; both are read again when they change")
    tls_ca: Path | None = Field(
        None, description="certificates, PEM, that those of callers and of the next service must come from"
    )
    mutual_tls: bool = Field(True, description="with tls_ca: refuse callers that show no certificate")
    tokens: Path | None = Field(
        None, description="file of the tokens that are accepted, see `semlink token`; read again when it changes"
    )
    accept_token: tuple[str, ...] = Field(
        (), description="a further one, as a line of that file; give it several times for several"
    )
    insecure: bool = Field(
        False, description="listen beyond this machine without TLS or without tokens: all who reach the port may call"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe log line shown")
    log_format: Literal["console", "json"] = Field("console", description="log lines for people or for machines")

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        """Texts as users type them: numbers with units, and paths."""
        if not isinstance(value, str):
            return value
        name = str(info.field_name)
        if Path not in {cls.model_fields[name].annotation, *get_args(cls.model_fields[name].annotation)}:
            return without_unit(name, value)
        try:
            return local_path(value)
        except InvalidInput as error:
            raise ValueError(str(error)) from error


class CallingSettings(ServerSettings):
    """What a service that calls the next one can be told beside."""

    token: SecretStr | None = Field(
        None, description="token that this service shows the next; in the environment, since all see flags"
    )
    token_file: Path | None = Field(None, description="file that holds it")


class ModelSettings(BaseModel):
    """What a service that runs CLIP and codecs can be told beside."""

    weights: str | None = Field(None, description="weights of the CLIP model: a file or a tag such as openai")
    weights_dir: Path | None = Field(
        None, description="folder with weights of codecs that go before the shipped ones; or SEMLINK_WEIGHTS_DIR"
    )
    bundle: Path | None = Field(
        None,
        description="folder that `semlink export` made, in place of clip and weights: CLIP and codecs run from it "
        "without torch",
    )
    download: bool = Field(False, description="fetch weights that are not in the cache")
    own_codec: tuple[str, ...] = Field(
        (), description="a codec in a file that this service may run, FILE.py:Class; give it several times for several"
    )


Settings = TypeVar("Settings", bound=BaseSettings)


def read_settings(kind: type[Settings], program: str, arguments: Sequence[str] | None = None) -> Settings:
    """Settings from flags, environment and defaults.

    arguments: flags without the program's name; None takes those of this process.
    Raises InvalidSetting naming each wrong value; `--help` prints the flags and exits.
    """
    given = True if arguments is None else list(arguments)
    flags: CliSettingsSource[Settings] = CliSettingsSource(kind, cli_parse_args=given, cli_prog_name=program)
    try:
        return kind(_cli_settings_source=flags)
    except ValidationError as error:
        raise InvalidSetting(f"{program}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """A pydantic error in one line: each field, its value and what is wrong with it."""
    return joined(
        f"{shortened('.'.join(map(str, item['loc']))) or 'settings'} = {shown(item['input'])}: {item['msg']}"
        for item in error.errors()
    )

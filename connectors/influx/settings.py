"""What an operator can set about telemetry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors.influx.line_protocol import Precision
from twin_core.errors import ConfigurationError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class InfluxSettings(BaseModel):
    """Where telemetry goes and how much of it may wait on disk.

    Durations are seconds on the wall, because disks and servers live there; a loop whose clock runs faster says so in
    `speed`, and every wait and timeout is stretched by it.

    Raises:
        ConfigurationError: the address is none.
        pydantic.ValidationError: another value cannot work.

    Attributes:
        url: base address of any server with the InfluxDB 2 write endpoint.
        org: organisation; servers without organisations ignore it.
        spool_dir: directory of the waiting points; one gateway, one directory.
        speed: seconds of the loop's clock in a second on the wall.
        threaded: False does disk work on the loop itself, for runs in virtual time.
        flush_interval_s: how long a point may stay in memory before it is on disk: what a power cut can cost.
        buffer_bytes: bound of the points in memory while the disk is slow; beyond it the oldest are dropped.
        segment_bytes: size of one spool file at most, the unit in which old points are dropped.
        quota_bytes: bound of the spool; beyond it the oldest file is dropped.
        batch_points: points in one request at most.
        batch_bytes: size of one request at most.
        request_timeout_s: one request, from connecting to the last byte of the answer.
        retry_first_s: longest first wait after a failure; doubles with each further one.
        retry_most_s: longest wait between tries.
        retry_after_most_s: longest wait a server may ask for.
        hold_s: wait after the server denied access or does not know the bucket: someone has to act first.
        dead_letter_bytes: bound of the file of refused points; beyond it they are counted only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    org: str = "depot"
    bucket: str = Field(default="depot", min_length=1)
    token: SecretStr = SecretStr("")
    spool_dir: Path
    precision: Precision = Precision.NANOSECONDS
    speed: Positive = 1.0
    threaded: bool = True
    gzip: bool = False
    verify_tls: bool = True
    ca_file: Path | None = None

    flush_interval_s: Positive = 1.0
    buffer_bytes: int = Field(default=16 * 2**20, ge=4096)
    segment_bytes: int = Field(default=8 * 2**20, ge=4096)
    quota_bytes: int = Field(default=512 * 2**20, ge=16384)
    batch_points: int = Field(default=5000, ge=1)
    batch_bytes: int = Field(default=2**20, ge=1024)
    request_timeout_s: Positive = 10.0
    retry_first_s: Positive = 0.5
    retry_most_s: Positive = 30.0
    retry_after_most_s: Positive = 900.0
    hold_s: Positive = 60.0
    dead_letter_bytes: int = Field(default=16 * 2**20, ge=0)

    @field_validator("url")
    @classmethod
    def _url_can_be_called(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/]\S*", url):
            raise ConfigurationError(f"telemetry address {url!r} cannot work: write it as http://HOST:8086")
        return url

    @property
    def spool_segment_bytes(self) -> int:
        """Size of one spool file; small enough that dropping one leaves most of the quota in use."""
        return min(self.segment_bytes, self.quota_bytes // 4)

    def loop_s(self, wall_s: float) -> float:
        """Seconds on the loop's clock for seconds on the wall."""
        return wall_s * self.speed

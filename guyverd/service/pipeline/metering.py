"""What the metrics read from elsewhere: values that the parts of a coordinator keep themselves."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from guyverd.errors import GuyverError
from guyverd.service.metrics import Timed

if TYPE_CHECKING:
    from guyverd.service.pipeline.coordinator import Coordinator


def measure(work: Coordinator) -> None:
    """Have the metrics of `work` tell them."""
    catalogue, metrics = work.catalogue, work.metrics
    recorded = 0
    with contextlib.suppress(GuyverError):  # a catalogue that cannot be read is told by whoever needs it
        recorded = catalogue.decisions.last()
    metrics.read_from("decisions", lambda: catalogue.decisions.last() - recorded)
    metrics.read_from("catalogue_write", lambda: Timed(*catalogue.written))
    metrics.read_from("catalogue_writes_waiting", lambda: catalogue.writes_waiting)
    metrics.read_from("folder_acts", lambda: work.publishing.heeding.heard)
    metrics.read_from("messages_waiting", lambda: work.waiting[0])
    metrics.read_from("paths_settling", lambda: work.waiting[1])
    metrics.read_from("workers_running", lambda: int(work.reader.awake))

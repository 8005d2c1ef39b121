"""OpenLLMetry (Traceloop): `@task`."""

from __future__ import annotations

import os

os.environ.update(TRACELOOP_TELEMETRY="false", TRACELOOP_METRICS_ENABLED="false", TRACELOOP_SUPPRESS_WARNINGS="true")

from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task

from tests.conformance.adapters import F, name_of
from tests.conformance.adapters.sdk import SdkAdapter


class Product(SdkAdapter):
    title = "Traceloop"
    distribution = "traceloop-sdk"
    suffixes = (".task",)

    def __init__(self) -> None:
        super().__init__()
        Traceloop.init(app_name="conformance", telemetry_enabled=False, instruments=set(), processor=self.processor)

    def traced(self, fn: F, /) -> F:
        return task(name=name_of(fn))(fn)

"""Jaeger as a source: the spans of a trace, and the traces in which an attribute has a value."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, TracesData

from agentos_otel.errors import BackendError
from agentos_otel.query.jaeger_api import JaegerApi
from agentos_otel.store import decode

LOOK_BACK: Final = 90 * 24 * 3600
"""Seconds into the past that a search goes: longer than our configuration of Jaeger keeps spans."""
MOST: Final = 1000
"""Traces that one search returns."""
_PROBE: Final = 20
_IDS: Final = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


class Jaeger:
    """What queries ask of Jaeger 2.

    Args:
        api: Its query API.
    """

    def __init__(self, api: JaegerApi) -> None:
        self.api = api

    def trace(self, trace_id: str) -> list[ResourceSpans]:
        """Return the spans of a trace as they were sent; empty where Jaeger does not have it.

        Raises:
            BackendError: Jaeger does not answer.
        """
        # Raw: otherwise times are moved against clock skew, and warnings are added to the attributes.
        found = self.api.get(f"/api/v3/traces/{trace_id}", raw_traces="true", rawTraces="true")
        return list(self._traces(found))

    def services(self) -> list[str]:
        """Return the names of all services that have sent spans."""
        found = self.api.get("/api/v3/services") or {}
        return sorted(name for name in found.get("services") or () if isinstance(name, str))

    def search(self, attribute: str, value: str) -> list[str]:
        """Return the ids of the traces in which a span has `attribute` with that value; empty is no error.

        Raises:
            BackendError: Jaeger does not answer.
        """
        found: dict[str, None] = {}
        for service in self.services():
            traces = self._search_v3(service, attribute, value)
            if traces is None:
                traces = self._search_v1(service, attribute, value)
            found.update(dict.fromkeys(traces))
        return list(found)

    def _search_v3(self, service: str, attribute: str, value: str, count: int = _PROBE) -> list[str] | None:
        """Search by the v3 API, or return None where it does not search by attributes.

        Jaeger 2.13 ignores what it does not know and answers with every trace of the service, so each trace that
        comes back is looked at. The parameters have two names each: of 2.13, and of later ones.
        """
        now = time.time()
        times = [
            datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z") for at in (now - LOOK_BACK, now + 60)
        ]
        attributes = json.dumps({attribute: value})
        query = {
            **{"query.service_name": service, "query.serviceName": service},
            **{"query.start_time_min": times[0], "query.startTimeMin": times[0]},
            **{"query.start_time_max": times[1], "query.startTimeMax": times[1]},
            **{"query.num_traces": str(count), "query.searchDepth": str(count)},
            **{"query.raw_traces": "true", "query.rawTraces": "true", "query.attributes": attributes},
        }
        having: dict[str, bool] = {}
        for resource in self._traces(self.api.get("/api/v3/traces", **query)):
            for scope in resource.scope_spans:
                for span in scope.spans:
                    has = any(
                        pair.key == attribute and decode.value_of(pair.value) == value for pair in span.attributes
                    )
                    having[span.trace_id.hex()] = having.get(span.trace_id.hex(), False) or has
        if not all(having.values()):
            return None
        if len(having) == count < MOST:
            return self._search_v3(service, attribute, value, MOST)
        return list(having)

    def _search_v1(self, service: str, attribute: str, value: str) -> list[str]:
        now = int(time.time() * 1e6)
        times = {"start": str(now - LOOK_BACK * 10**6), "end": str(now + 60 * 10**6)}
        tags = json.dumps({attribute: value})
        found = self.api.get("/api/traces", service=service, tags=tags, limit=str(MOST), **times) or {}
        traces = [trace for trace in found.get("data") or () if isinstance(trace, dict)]
        return [str(trace.get("traceID", "")).rjust(32, "0") for trace in traces if _has(trace, attribute, value)]

    def _traces(self, found: dict[str, Any] | None) -> Iterator[ResourceSpans]:
        result = (found or {}).get("result") or {}
        try:
            yield from ParseDict(_with_base64(result), TracesData(), ignore_unknown_fields=True).resource_spans
        except (ParseError, ValueError) as error:
            raise BackendError(f"Jaeger at {self.api.url}: the answer is no trace: {error}") from error


def _has(trace: dict[str, Any], attribute: str, value: str) -> bool:
    return any(
        isinstance(tag, dict) and tag.get("key") == attribute and tag.get("value") == value
        for span in trace.get("spans") or ()
        for tag in span.get("tags") or ()
    )


def _with_base64(value: Any) -> Any:
    """Return OTLP's JSON as protobuf's own: its ids are hex digits where protobuf has base64."""
    if isinstance(value, list):
        return [_with_base64(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode()
        if key in _IDS and isinstance(item, str) and len(item) in (0, _IDS[key])
        else _with_base64(item)
        for key, item in value.items()
        if item is not None
    }

"""FastAPI and Starlette endpoints, sync and async, get their parameters, dependencies and schema."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
import httpx
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.conformance.compare import Decorate, alike


def _base() -> int:
    return 10


def _get(app: Any, *paths: str) -> list[Any]:
    async def ask() -> list[Any]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [(answer.status_code, answer.text) for answer in [await client.get(path) for path in paths]]

    return anyio.run(ask)


def test_fastapi(traced: Decorate, shape: Any) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        app = FastAPI()

        @app.get("/sync")
        @decorate
        def sync(number: int, base: Annotated[int, Depends(_base)]) -> int:
            return base + number

        @app.get("/later")
        @decorate
        async def later(number: int, base: Annotated[int, Depends(_base)]) -> int:
            return base + number

        schema = app.openapi()["paths"]["/sync"]["get"]
        return [*_get(app, "/sync?number=1", "/later?number=2", "/later?number=x")[:2],
                [(p["name"], p["schema"]["type"]) for p in schema["parameters"]], schema["summary"]]  # fmt: skip

    assert alike(scenario, traced) == [(200, "11"), (200, "12"), [("number", "integer")], "Sync"]
    # The framework may make spans of its own where a provider is set.
    assert [(name, status) for name, _, status in shape() if name in ("sync", "later")] == [
        ("sync", "ok"),
        ("later", "ok"),
    ]


def test_starlette(traced: Decorate) -> None:
    def scenario(decorate: Decorate) -> list[Any]:
        @decorate
        def sync(request: Request) -> PlainTextResponse:
            return PlainTextResponse(f"sync {request.query_params['n']}")

        @decorate
        async def later(request: Request) -> PlainTextResponse:
            return PlainTextResponse(f"later {request.query_params['n']}")

        return _get(Starlette(routes=[Route("/sync", sync), Route("/later", later)]), "/sync?n=1", "/later?n=2")

    assert alike(scenario, traced) == [(200, "sync 1"), (200, "later 2")]

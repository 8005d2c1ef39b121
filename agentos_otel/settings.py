"""Settings, read once from arguments and the environment; read by `bootstrap` and `cli` alone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agentos_otel import semconv
from agentos_otel.errors import ConfigurationError

if TYPE_CHECKING:
    from agentos_otel.export.destination import Destination

_T = TypeVar("_T", int, None)
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("", "0", "false", "no", "off")
_MAX_RUN_SIZE = 1 << 30
_MAX_SIZE = 10 << 30
_SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set.

    Attributes:
        state_dir: Where journals, index and the SQLite store live (`AGENTOS_OTEL_STATE_DIR`).
        database_url: The task store (`AGENTOS_OTEL_DATABASE_URL`): `sqlite:///PATH` or `postgresql://…`.
        disabled: Nothing is traced (`AGENTOS_OTEL_DISABLED`, `OTEL_SDK_DISABLED`).
        capture: Keep arguments and results (`AGENTOS_OTEL_CAPTURE`,
            `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`).
        jaeger_url: Jaeger's query API and UI (`AGENTOS_OTEL_JAEGER_URL`), asked for what does not lie here.
        maps: Files with maps of points (`AGENTOS_OTEL_MAP`, separated by `:`).
        session_id: Session of tasks that get none from the host (`AGENTOS_OTEL_SESSION_ID`).
        host_tables: Write trace ids into the host's own table of tasks (`AGENTOS_OTEL_HOST_TABLES`).
        instrumented: Maps are applied (off by `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=agentos`).
        trailers: Write ids into commit messages (`AGENTOS_OTEL_TRAILERS`).
        sampler: `OTEL_TRACES_SAMPLER`.
        sampler_ratio: `OTEL_TRACES_SAMPLER_ARG`, 0 to 1.
        service_name: `OTEL_SERVICE_NAME`.
        parent_from_environment: A foreign `TRACEPARENT` is the parent of a task that begins here, not a link
            (`AGENTOS_OTEL_PARENT=env`).
        idle_days: Days without a word after which a task is ended as abandoned (`AGENTOS_OTEL_IDLE_DAYS`).
        max_run_size: Bytes that one process may write (`AGENTOS_OTEL_MAX_RUN_SIZE`).
        max_size: Bytes of all journals together: nothing is written beyond, and `prune` goes down to it
            (`AGENTOS_OTEL_MAX_SIZE`).
        max_age: Seconds after which `prune` removes what has ended (`AGENTOS_OTEL_MAX_AGE`); None keeps it.
        keep: Part of the tasks without an error that is sent on (`AGENTOS_OTEL_KEEP`, 0 to 1).
        otlp: The variables that say where spans are sent on to (`OTEL_EXPORTER_OTLP_…`); empty sends nothing.
    """

    state_dir: Path
    database_url: str
    disabled: bool = False
    capture: bool = False
    jaeger_url: str = ""
    maps: tuple[Path, ...] = ()
    session_id: str = ""
    host_tables: bool = True
    instrumented: bool = True
    trailers: bool = True
    sampler: str = "parentbased_always_on"
    sampler_ratio: float = 1.0
    service_name: str = ""
    parent_from_environment: bool = False
    idle_days: float = 14.0
    max_run_size: int = _MAX_RUN_SIZE
    max_size: int = _MAX_SIZE
    max_age: int | None = None
    keep: float = 1.0
    otlp: Mapping[str, str] = field(default_factory=dict, repr=False)  # headers hold secrets

    def destination(self) -> Destination | None:
        """Return where spans are sent on to, or None where that is nowhere.

        Not read with the rest: a mistake here must not switch the journal off, and few processes come to need it.

        Raises:
            ConfigurationError: A variable holds what it cannot mean.
        """
        from agentos_otel.export.destination import from_environ

        return from_environ(self.otlp)

    @property
    def journal_dir(self) -> Path:
        """Folder of all journals."""
        return self.state_dir / "journal"

    def with_changes(self, **changes: Any) -> Settings:
        """Return these settings with what is not None in `changes`."""
        known = {key: value for key, value in changes.items() if value is not None}
        if "state_dir" in known:
            known["state_dir"] = Path(known["state_dir"]).absolute()
            default = f"sqlite:///{self.state_dir / 'tasks.db'}"
            if self.database_url == default and "database_url" not in known:
                known["database_url"] = f"sqlite:///{known['state_dir'] / 'tasks.db'}"
        if "maps" in known:
            known["maps"] = tuple(Path(path) for path in known["maps"])
        return replace(self, **known)


def _flag(environ: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    value = environ.get(name, "").strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return default if value == "" else False
    raise ConfigurationError(f"{name}={environ[name]!r} is neither true nor false: set it to true or false")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _capture(environ: Mapping[str, str]) -> bool:
    genai = environ.get(semconv.OTEL_CAPTURE_CONTENT, "").strip().lower()
    if genai in ("span_only", "event_only", "span_and_event"):
        return True
    return _flag(environ, semconv.ENV_CAPTURE) or (genai in _TRUE)


def _parent(environ: Mapping[str, str]) -> bool:
    text = environ.get(semconv.ENV_PARENT, "").strip().lower()
    if text not in ("", "link", "env"):
        raise ConfigurationError(f"{semconv.ENV_PARENT}={text!r} is neither `env` nor `link`: set it to one of them")
    return text == "env"


def _ratio(environ: Mapping[str, str], name: str) -> float:
    text = environ.get(name, "").strip() or "1"
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1
    if not 0 <= ratio <= 1:
        raise ConfigurationError(f"{name}={text!r} is no number from 0 to 1: set it to one")
    return ratio


def _idle_days(environ: Mapping[str, str]) -> float:
    text = environ.get(semconv.ENV_IDLE_DAYS, "").strip() or "14"
    try:
        days = float(text)
    except ValueError:
        days = 0
    if not 0 < days < 36_500:
        raise ConfigurationError(f"{semconv.ENV_IDLE_DAYS}={text!r} is no number of days above 0: set it to one")
    return days


def size_of(text: str) -> int:
    """Return the bytes that a text such as `512M` or `10G` means.

    Raises:
        ConfigurationError: It means none.
    """
    found = re.fullmatch(r"(\d{1,15})\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if found is None:
        raise ConfigurationError(f"{text!r} is no size: write a number of bytes, or one with K, M, G or T, such as 10G")
    return int(found[1]) << 10 * " KMGT".index(found[2].upper() or " ")


def age_of(text: str) -> int:
    """Return the seconds that a text such as `12h` or `30d` means.

    Raises:
        ConfigurationError: It means none.
    """
    found = re.fullmatch(r"(\d{1,9})\s*([smhdw])", text.strip(), re.IGNORECASE)
    if found is None:
        raise ConfigurationError(f"{text!r} is no age: write a number with s, m, h, d or w, such as 30d")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[found[2].lower()]


def _limit(environ: Mapping[str, str], name: str, meaning: Callable[[str], int], default: _T) -> int | _T:
    text = environ.get(name, "").strip()
    try:
        return meaning(text) if text else default
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _otlp(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that say where spans go, if one names an endpoint and none chooses another exporter."""
    endpoints = (semconv.OTEL_EXPORTER_OTLP_PREFIX, semconv.OTEL_EXPORTER_OTLP_TRACES_PREFIX)
    if not any(environ.get(f"{prefix}ENDPOINT", "").strip() for prefix in endpoints):
        return {}
    chosen = [name.strip().lower() for name in environ.get(semconv.OTEL_TRACES_EXPORTER, "").split(",") if name.strip()]
    if chosen and not any(name.startswith("otlp") for name in chosen):
        return {}
    wanted = (semconv.OTEL_EXPORTER_OTLP_PREFIX, "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return {name: value for name, value in environ.items() if name.upper().startswith(wanted)}


def default_state_dir() -> Path:
    """Return the user's state directory for this library (platformdirs)."""
    from platformdirs import user_state_path

    return user_state_path("agentos-otel", appauthor=False)


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings that the environment gives.

    Raises:
        ConfigurationError: A variable holds what it cannot mean; one sentence says what to set.
    """
    environ = os.environ if environ is None else environ
    given = environ.get(semconv.ENV_STATE_DIR, "")
    state_dir = Path(given).expanduser().absolute() if given else default_state_dir()
    sampler = environ.get(semconv.OTEL_TRACES_SAMPLER, "").strip().lower() or "parentbased_always_on"
    if sampler not in _SAMPLERS:
        raise ConfigurationError(f"{semconv.OTEL_TRACES_SAMPLER}={sampler!r} is not one of {', '.join(_SAMPLERS)}")
    return Settings(
        state_dir=state_dir,
        database_url=environ.get(semconv.ENV_DATABASE_URL, "") or f"sqlite:///{state_dir / 'tasks.db'}",
        disabled=_flag(environ, semconv.ENV_DISABLED) or _flag(environ, semconv.OTEL_SDK_DISABLED),
        capture=_capture(environ),
        jaeger_url=environ.get(semconv.ENV_JAEGER_URL, "").strip(),
        maps=tuple(Path(path) for path in environ.get(semconv.ENV_MAP, "").split(os.pathsep) if path),
        session_id=environ.get(semconv.ENV_SESSION_ID, ""),
        host_tables=_flag(environ, semconv.ENV_HOST_TABLES, default=True),
        instrumented=semconv.INSTRUMENTATION not in _names(environ.get(semconv.OTEL_DISABLED_INSTRUMENTATIONS, "")),
        trailers=_flag(environ, semconv.ENV_TRAILERS, default=True),
        sampler=sampler,
        sampler_ratio=_ratio(environ, semconv.OTEL_TRACES_SAMPLER_ARG),
        service_name=environ.get(semconv.OTEL_SERVICE_NAME, ""),
        parent_from_environment=_parent(environ),
        idle_days=_idle_days(environ),
        max_run_size=_limit(environ, semconv.ENV_MAX_RUN_SIZE, size_of, _MAX_RUN_SIZE),
        max_size=_limit(environ, semconv.ENV_MAX_SIZE, size_of, _MAX_SIZE),
        max_age=_limit(environ, semconv.ENV_MAX_AGE, age_of, None),
        keep=_ratio(environ, semconv.ENV_KEEP),
        otlp=_otlp(environ),
    )

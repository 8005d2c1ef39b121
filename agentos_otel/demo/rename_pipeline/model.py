"""The rename that a request means, asked of an OpenAI-compatible model."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Final

from rename_pipeline.errors import BadInputError, PipelineError

_SECONDS: Final = 120
_INSTRUCTION: Final = (
    "The user asks for a Python identifier to be renamed. "
    'Answer with one JSON object and nothing else: {"old": "...", "new": "..."}'
)


def ask_for_rename(model: str, request: str) -> tuple[str, str]:
    """Return the old and the new identifier that `model` reads in `request`.

    Raises:
        BadInputError: `OPENAI_BASE_URL` is not set to an address.
        PipelineError: The model did not answer, or not as it was told.
    """
    base = os.environ.get("OPENAI_BASE_URL", "")
    if not base.startswith(("http://", "https://")):
        raise BadInputError("--model needs OPENAI_BASE_URL to be the http address of an OpenAI-compatible server")
    messages = [{"role": "system", "content": _INSTRUCTION}, {"role": "user", "content": request}]
    call = urllib.request.Request(  # noqa: S310 - the scheme was checked above
        f"{base.rstrip('/')}/chat/completions",
        data=json.dumps({"model": model, "messages": messages, "temperature": 0}).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}",
        },
    )
    try:
        with urllib.request.urlopen(call, timeout=_SECONDS) as response:  # noqa: S310 - the scheme was checked above
            content = json.load(response)["choices"][0]["message"]["content"]
        # Models like to put a fence or a sentence around what they were asked for.
        answer = json.loads(content[content.index("{") : content.rindex("}") + 1])
        return str(answer["old"]), str(answer["new"])
    except OSError as error:
        raise PipelineError(f"model {model} did not answer: {error}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise PipelineError(f"model {model} gave no rename in its answer") from error

"""A call to a model that speaks the OpenAI protocol, without a client library."""

import json
import os
import urllib.request


def post(model, prompt, **options):
    body = {"model": model, "messages": [{"role": "user", "content": str(prompt)}], **options}
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def ask(model, prompt):
    return json.loads(text(model, prompt))


def text(model, prompt):
    return json.loads(post(model, prompt))["choices"][0]["message"]["content"]

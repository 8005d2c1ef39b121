"""The demo's pipeline by itself, without tracing: real processes, real git."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.git

DEMO = Path(__file__).parents[2] / "agentos_otel" / "demo"
IDS = {
    "nl_request_id": r"nlreq_[0-9a-f]{12}",
    "intent_id": r"intent_[0-9a-f]{12}",
    "coordinator_run_id": r"coord_run_[0-9a-f]{12}",
    "dry_result_id": r"dryexec_[0-9a-f]{16}",
    "question_pack_id": r"qpack_[0-9a-f]{12}",
    "answer_pack_id": r"apack_[0-9a-f]{12}",
    "execution_request_id": r"exec_req_[0-9a-f]{12}",
    "branch": r"rename-[0-9a-f]{8}",
    "commit": r"[0-9a-f]{40}",
}
# What is hard to rename by text alone: fields of f-strings, keyword arguments, attributes, other encodings, line ends.
SECOND = {
    "src/inventory.py": (
        b'"""Counts stock."""\r\n\r\n\r\nclass Stock:\r\n    def __init__(self, *, level=0):\r\n'
        b"        self.level = level\r\n\r\n    def text(self, width):\r\n"
        b"        level = f\"{self.level!r:>{width}} {{level}} {{self.level}}\" + 'level'\r\n"
        b'        return f"""{level + \'\'.join(f\'{level[0:0]}\' for _ in [level])}"""'
    ),
    "src/latin.py": '# -*- coding: latin-1 -*-\nfrom inventory import Stock\n\nNAME = "Lager für"\n\n\n'
    "def label(level):\n    return NAME + Stock(level=level).text(width=4)\n".encode("latin-1"),
    "src/old_python.py": b"print 'level', level\n",
    "tests/test_stock.py": (
        b"import unittest\n\nfrom latin import label\n\n\nclass StockTest(unittest.TestCase):\n"
        b"    def test_label(self):\n"
        b'        self.assertEqual(label(7), "Lager f\\u00fcr   7 {level} {self.level}level")\n'
    ),
}


class Host:
    """The pipeline as its user sees it."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.ids: dict[str, str] = {}
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "AGENTOS_", "OPENAI_"))},
            "PYTHONPATH": str(DEMO),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def run(self, stage: str, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rename_pipeline", stage, *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        printed = dict(line.split("=", 1) for line in done.stdout.splitlines())
        for kind, value in printed.items():
            assert re.fullmatch(IDS[kind], value)
        self.ids.update(printed)
        return done

    def prepare(self, repo: Path, request: str) -> None:
        """Run all stages before the execution."""
        work = self.work
        self.run("intent", "--repo", repo, "--request", request, "--out", work / "intent.json")
        self.run("coordinate", "--intent", work / "intent.json", "--out", work / "coordination.json")
        self.run("dry-run", "--coordination", work / "coordination.json", "--out", work / "dry.json")
        self.run("ask", "--dry-result", work / "dry.json", "--out", work / "questions.json")
        self.run("answer", "--questions", work / "questions.json", "--out", work / "answers.json")

    def execute(self, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        work = self.work
        dry, answers, out = work / "dry.json", work / "answers.json", work / "execution.json"
        return self.run("execute", "--dry-result", dry, "--answers", answers, "--out", out, *more, code=code)

    def document(self, name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.work / f"{name}.json").read_text())
        return found

    def git(self, repo: Path, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", repo, *arguments], env=self.environment, capture_output=True, check=True
        ).stdout.decode("latin-1")

    def repository(self, folder: Path, files: dict[str, bytes]) -> Path:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        self.git(folder, "init", "--quiet", "-b", "main")
        self.git(folder, "add", ".")
        self.git(folder, "-c", "user.name=x", "-c", "user.email=x@example.invalid", "commit", "--quiet", "-m", "Begin")
        return folder

    def assert_left_alone(self, repo: Path, branches: int) -> None:
        """Nothing changed but for branches: no worktree, no edited file."""
        assert self.git(repo, "status", "--porcelain") == ""
        assert len(self.git(repo, "worktree", "list").splitlines()) == 1
        assert len(self.git(repo, "branch", "--list").splitlines()) == branches


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def sample(host: Host, tmp_path: Path) -> Path:
    host.run("sample", "--out", tmp_path / "sample")
    return tmp_path / "sample"


def test_the_sample_ends_in_a_commit(host: Host, sample: Path) -> None:
    base = host.ids["commit"]
    host.prepare(sample, "rename total_price to order_total in this repository")
    host.git(sample, "apply", "--check", str(host.work / "dry.diff"))
    host.execute()

    sha = host.ids["commit"]
    assert host.git(sample, "rev-parse", host.ids["branch"], "HEAD").split() == [sha, base]
    assert host.git(sample, "show", "-s", "--format=%P %s %an", sha) == (
        f"{base} Rename total_price to order_total rename pipeline\n"
    )
    changed = host.git(sample, "diff", "--name-only", base, sha).split()
    assert changed == ["shop/basket.py", "shop/pricing.py", "shop/report.py", "tests/test_shop.py"]
    # What is left are the mentions in a docstring and in a comment.
    assert host.git(sample, "grep", "-c", "total_price", sha).split() == [
        f"{sha}:shop/basket.py:1",
        f"{sha}:shop/pricing.py:1",
    ]
    execution = host.document("execution")
    for tests in (execution["tests_before"], execution["tests_after"]):
        assert isinstance(tests, dict)
        assert (tests["passed"], tests["ran"]) == (True, 4)
    host.assert_left_alone(sample, branches=2)
    assert set(host.ids) == set(IDS)


def test_each_document_names_what_it_consumed(host: Host, sample: Path) -> None:
    host.prepare(sample, "please rename the function `total_price` to `order_total`.")
    host.execute()
    for name, own, consumed in (
        ("intent", "intent_id", "nl_request_id"),
        ("coordination", "coordinator_run_id", "intent_id"),
        ("dry", "dry_result_id", "coordinator_run_id"),
        ("questions", "question_pack_id", "dry_result_id"),
        ("answers", "answer_pack_id", "question_pack_id"),
        ("execution", "execution_request_id", "answer_pack_id"),
    ):
        document = host.document(name)
        assert [document[own], document[consumed]] == [host.ids[own], host.ids[consumed]]


def test_a_second_repository(host: Host, tmp_path: Path) -> None:
    repo = host.repository(tmp_path / "second", SECOND)
    host.prepare(repo, "rename level to quantity")
    host.execute()
    after = host.git(repo, "show", f"{host.ids['commit']}:src/inventory.py")
    expected = SECOND["src/inventory.py"].decode()
    for old, new in (
        ("level=0", "quantity=0"),
        ("self.level = level", "self.quantity = quantity"),
        ("level = f", "quantity = f"),
        ("{self.level!r", "{self.quantity!r"),
        ("{level + ", "{quantity + "),
        ("{level[0:0]}", "{quantity[0:0]}"),
        ("[level])", "[quantity])"),
    ):
        expected = expected.replace(old, new)
    assert after == expected
    latin = host.git(repo, "show", f"{host.ids['commit']}:src/latin.py")
    assert latin == SECOND["src/latin.py"].decode("latin-1").replace("level", "quantity")
    assert host.document("coordination")["skipped"] == ["src/old_python.py"]
    assert [change["path"] for change in host.document("dry")["changes"]] == ["src/inventory.py", "src/latin.py"]  # type: ignore[attr-defined]


def test_the_repositorys_hooks_and_identity_count(host: Host, sample: Path) -> None:
    host.git(sample, "config", "user.name", "somebody")
    host.git(sample, "config", "user.email", "somebody@example.invalid")
    hook = sample / ".git" / "hooks" / "commit-msg"
    hook.write_text('#!/bin/sh\necho "Seen-By: hook" >> "$1"\n')
    hook.chmod(0o755)
    host.prepare(sample, "rename total_price to order_total")
    host.execute()
    shown = host.git(sample, "show", "-s", "--format=%an %ae%n%B", host.ids["commit"])
    assert shown.startswith("somebody somebody@example.invalid\n")
    assert "Seen-By: hook" in shown

    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    done = host.execute(code=1)
    assert "failed: git commit failed: not today" in done.stderr
    host.assert_left_alone(sample, branches=2)


def test_failing_tests_leave_no_branch(host: Host, sample: Path) -> None:
    host.prepare(sample, "rename append to add_item")
    assert "the tests fail after the rename" in host.execute(code=1).stderr
    assert "the tests fail before the rename" in host.execute("--test-command", "false", code=1).stderr
    assert host.document("execution")["status"] == "failed"
    host.assert_left_alone(sample, branches=1)


def test_a_collision_is_refused_unless_the_user_says_yes(host: Host, sample: Path) -> None:
    host.prepare(sample, "rename percent to items")
    assert "refused: collision" in host.execute(code=1).stderr
    assert host.document("execution")["status"] == "refused"
    host.run("answer", "--questions", host.work / "questions.json", "--out", host.work / "answers.json", "--yes")
    # The user was warned: a function now has two parameters of one name.
    assert "the tests fail after the rename" in host.execute(code=1).stderr
    host.assert_left_alone(sample, branches=1)


@pytest.mark.parametrize(
    ("request_text", "said"),
    [
        ("rename total_price to 2nd", "'2nd' is not a Python identifier"),
        ("rename total_price to class", "'class' is not a Python identifier"),
        ("rename total_price to total_price", "'total_price' has that name already"),
        ("make it better", "asks for no rename"),
    ],
)
def test_bad_requests(host: Host, sample: Path, request_text: str, said: str) -> None:
    done = host.run("intent", "--repo", sample, "--request", request_text, "--out", host.work / "i.json", code=2)
    assert_one_line(done, said)


def test_bad_repositories(host: Host, tmp_path: Path) -> None:
    def intent(repo: Path) -> subprocess.CompletedProcess[str]:
        return host.run("intent", "--repo", repo, "--request", "rename a to b", "--out", tmp_path / "i.json", code=2)

    assert_one_line(intent(tmp_path / "nowhere"), "is not a directory")
    (tmp_path / "plain").mkdir()
    assert_one_line(intent(tmp_path / "plain"), "is not a git repository")
    host.git(tmp_path / "plain", "init", "--quiet")
    assert_one_line(intent(tmp_path / "plain"), "has no commit yet")
    assert_one_line(host.run("sample", "--out", tmp_path / "plain", code=2), "is not empty")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "nobody is not an identifier"),
        ("tax", "tax is not an identifier"),
        ("pricing", "pricing is a module"),
    ],
)
def test_names_that_cannot_be_renamed(host: Host, sample: Path, name: str, said: str) -> None:
    intent = host.work / "i.json"
    host.run("intent", "--repo", sample, "--request", f"rename {name} to other", "--out", intent)
    done = host.run("coordinate", "--intent", intent, "--out", host.work / "c.json", code=2)
    assert_one_line(done, said)


def test_bad_documents(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    arguments = ("coordinate", "--intent", file, "--out", tmp_path / "o.json")
    assert_one_line(host.run(*map(str, arguments), code=2), "No such file")
    file.write_text("{")
    assert_one_line(host.run(*map(str, arguments), code=2), "is not JSON")
    file.write_text('{"intent_id": "x"}')
    assert_one_line(host.run(*map(str, arguments), code=2), "holds no Intent: base, ")


def assert_one_line(done: subprocess.CompletedProcess[str], said: str) -> None:
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("INFO ", "WARNING "))]
    assert len(lines) == 1
    assert said in lines[0]


@pytest.fixture
def model_server() -> Iterator[tuple[HTTPServer, list[dict[str, object]]]]:
    seen: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append({"path": self.path, "model": asked["model"], "key": self.headers["Authorization"]})
            content = 'Sure:\n```json\n{"old": "total_price", "new": "order_total"}\n```'
            body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server, seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_plans_only_if_it_is_named(
    host: Host, sample: Path, model_server: tuple[HTTPServer, list[dict[str, object]]]
) -> None:
    server, seen = model_server
    request = "the price should be called order_total everywhere"
    arguments = ("--repo", sample, "--request", request, "--out", host.work / "intent.json")
    assert_one_line(host.run("intent", *arguments, "--model", "m", code=2), "--model needs OPENAI_BASE_URL")
    host.environment["OPENAI_BASE_URL"] = f"http://127.0.0.1:{server.server_port}/v1"
    host.environment["OPENAI_API_KEY"] = "k"
    host.run("intent", *arguments, code=2)
    assert seen == []
    host.run("intent", *arguments, "--model", "m")
    assert seen == [{"path": "/v1/chat/completions", "model": "m", "key": "Bearer k"}]
    assert host.document("intent")["new"] == "order_total"

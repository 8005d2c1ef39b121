"""Reading a journal file from disk: any damage, limits, newer formats, erasing in place."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentos_otel.errors import StorageError
from agentos_otel.journal import encoding, reader
from agentos_otel.journal.record import CHECK_HEAD, ENDED_SPAN, FIELDS, STARTED_SPAN, STATEMENT, frame

Bodies = list[tuple[int, bytes]]

RECORDS = st.lists(
    st.tuples(st.sampled_from(FIELDS), st.one_of(st.binary(max_size=40), st.binary(min_size=120, max_size=200))),
    min_size=1,
    max_size=8,
)
PLACE = st.integers(0, 10_000)
DAMAGE = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), PLACE, st.integers(0, 7)),
        st.tuples(st.just("insert"), PLACE, st.binary(min_size=1, max_size=20)),
        st.tuples(st.just("delete"), PLACE, st.integers(1, 40)),
        st.tuples(st.just("truncate"), PLACE, st.just(0)),
    ),
    min_size=1,
    max_size=4,
)


def pairs(records: list[reader.Record]) -> Bodies:
    return [(record.field, record.body) for record in records]


def damaged(records: Bodies, damage: list[tuple[str, int, int | bytes]]) -> tuple[bytes, Bodies]:
    """Return the damaged file, and the records that still stand in it byte for byte.

    Each byte carries the number of its record and its place there, so that what is intact needs no second reader.
    """
    framed = [frame(*record) for record in records]
    file: list[tuple[int, int, int]] = [
        (byte, number, place) for number, data in enumerate(framed) for place, byte in enumerate(data)
    ]
    for kind, where, what in damage:
        if not file:
            break
        at = where % len(file)
        if kind == "flip" and isinstance(what, int):
            byte, number, place = file[at]
            file[at] = (byte ^ 1 << what, number, place)
        elif isinstance(what, bytes):
            file[at:at] = [(byte, -1, -1) for byte in what]
        elif kind == "delete":
            del file[at : at + what]
        else:
            del file[at:]
    intact = []
    for number, data in enumerate(framed):
        want = [(byte, number, place) for place, byte in enumerate(data)]
        begin = next((i for i, found in enumerate(file) if found[1:] == (number, 0)), None)
        if begin is not None and file[begin : begin + len(want)] == want:
            intact.append(records[number])
    return bytes(byte for byte, _, _ in file), intact


@given(records=RECORDS, damage=DAMAGE)
def test_every_record_whose_bytes_are_intact_is_found_and_what_is_missing_is_counted(
    records: Bodies, damage: list[tuple[str, int, int | bytes]]
) -> None:
    data, intact = damaged(records, damage)
    try:
        chunk = reader.parse(data, final=True)
    except StorageError:
        # The version of the last record that stands was hit: nothing tells that from a newer format, until another
        # record follows.
        data += frame(STATEMENT, b"{}")
        intact.append((STATEMENT, b"{}"))
        chunk = reader.parse(data, final=True)
    found = pairs(chunk.records)
    rest = iter(found)
    assert all(record in rest for record in intact)
    assert chunk.next_offset == len(data)
    assert sum(record.size for record in chunk.records) + chunk.damaged_bytes == len(data)
    if data != b"".join(frame(*record) for record in found):
        assert chunk.damaged > 0


@settings(deadline=None)
@given(records=RECORDS, damage=DAMAGE)
def test_tailing_a_damaged_file_byte_by_byte_finds_what_reading_it_at_once_finds(
    records: Bodies, damage: list[tuple[str, int, int | bytes]]
) -> None:
    data, _ = damaged(records, damage)
    tail = frame(STATEMENT, b'{"op":"run_end"}')  # by another record of our version an odd version byte is damage
    data += tail
    whole = reader.parse(data)
    offset, found, count, lost = 0, Bodies(), 0, 0
    for end in range(len(data) + 1):
        try:
            chunk = reader.parse(data[offset:end], offset)
        except StorageError:
            continue
        found += pairs(chunk.records)
        offset, count, lost = chunk.next_offset, count + chunk.damaged, lost + chunk.damaged_bytes
    assert (found, offset, count, lost) == (pairs(whole.records), len(data), whole.damaged, whole.damaged_bytes)


def file_of(folder: Path, *records: tuple[int, bytes]) -> Path:
    path = folder / "run.otlp"
    path.write_bytes(b"".join(frame(*record) for record in records))
    return path


@settings(deadline=None)
@given(records=RECORDS, limit=st.integers(1, 300), torn=st.integers(0, 9))
def test_reading_in_pieces_gives_the_whole_file_whatever_the_limit(records: Bodies, limit: int, torn: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(Path(folder), *records)
        with path.open("ab") as file:
            file.write(frame(STATEMENT, b"{}")[:torn])
        offset, found, count = 0, Bodies(), 0
        while True:
            chunk = reader.read_file(path, offset, final=True, limit=limit)
            found, count = found + pairs(chunk.records), count + chunk.damaged
            if chunk.next_offset == offset:
                break
            offset = chunk.next_offset
        assert (found, count, offset) == (records, int(torn > 0), path.stat().st_size)


def test_an_incomplete_record_is_damage_only_once_nobody_writes(tmp_path: Path) -> None:
    path = file_of(tmp_path, (STATEMENT, b"{}"))
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(frame(STATEMENT, b'{"op":"x"}')[:-1])
    live, dead = reader.read_file(path), reader.read_file(path, final=True)
    assert (live.next_offset, live.damaged) == (size, 0)
    assert (dead.next_offset, dead.damaged, dead.damaged_bytes) == (path.stat().st_size, 1, path.stat().st_size - size)


def test_an_intact_file_of_every_field_is_traces_data() -> None:
    head = encoding.head(b"\x01" * 16, b"\x02" * 8, b"", encoding.name("n", 1), 1, 2)
    encoder = encoding.SpanEncoder({"service.name": "x"})
    spans = (ENDED_SPAN, STARTED_SPAN)
    data = b"".join(encoder.record(n, [head]) if n in spans else frame(n, b"{}") for n in FIELDS)
    (resource_spans,) = TracesData.FromString(data).resource_spans
    assert resource_spans.scope_spans[0].spans[0].span_id == b"\x02" * 8


def with_version(field: int, body: bytes, version: int) -> bytes:
    data = bytearray(frame(field, body))
    data[-6] = version
    return bytes(data)


def test_a_file_that_a_newer_version_went_on_with_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "run.otlp"
    path.write_bytes(frame(STATEMENT, b"{}") + with_version(STATEMENT, b"{}", 1))
    with pytest.raises(StorageError, match=r"run\.otlp was written by a newer version"):
        reader.read_file(path)


def test_one_odd_version_byte_is_damage_where_records_of_our_version_follow(tmp_path: Path) -> None:
    odd = with_version(STATEMENT, b'{"op":"odd"}', 1)
    path = tmp_path / "run.otlp"
    path.write_bytes(odd + frame(STATEMENT, b"{}"))
    for limit in (None, len(odd)):
        chunk = reader.read_file(path, limit=limit)
        assert (pairs(chunk.records), chunk.damaged, chunk.damaged_bytes) == ([(STATEMENT, b"{}")], 1, len(odd))
    assert reader.read_records(path, [(0, len(odd))]) == []


def test_records_are_read_by_place_and_those_that_stand_there_no_more_are_left_out(tmp_path: Path) -> None:
    path = file_of(tmp_path, (STATEMENT, b'{"a":1}'), (STATEMENT, b'{"b":2}'))
    first, second = reader.read_file(path).records
    places = [(second.offset, second.size), (first.offset + 1, first.size), (10_000, 20)]
    assert reader.read_records(path, places) == [second]


@settings(deadline=None)
@given(size=st.one_of(st.integers(15, 400), st.integers(16_370, 16_400)))
def test_an_erased_record_is_a_statement_of_its_size_and_its_neighbours_stay(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(Path(folder), (STATEMENT, b"{}"), (ENDED_SPAN, b"x" * size), (STATEMENT, b"[]"))
        before = path.stat().st_size
        middle = reader.read_file(path).records[1]
        reader.overwrite(path, middle.offset, middle.size)
        chunk = reader.read_file(path, final=True)
        assert (path.stat().st_size, chunk.damaged) == (before, 0)
        assert [record.body.rstrip() for record in chunk.records] == [b"{}", b'{"op":"erased"}', b"[]"]
        assert b"x" * 15 not in path.read_bytes()


@pytest.mark.parametrize("size", [0, 5, 11, 25, 139])
def test_what_has_no_room_for_an_erasure_is_left_as_it_is(tmp_path: Path, size: int) -> None:
    path = file_of(tmp_path, (STATEMENT, b"{}" * 100))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="bytes"):
        reader.overwrite(path, 0, size)
    assert path.read_bytes() == before


@pytest.mark.timeout(10)  # it took a minute and a half: for each head, all that follows was summed up
def test_heads_of_records_that_all_end_in_one_place_are_passed_over_in_no_time() -> None:
    sizes = range(1_000_000 - 5, -1, -5)
    heads = (b"\x0a" + bytes((n & 0x7F | 0x80, n >> 7 & 0x7F | 0x80, n >> 14 & 0x7F | 0x80, n >> 21)) for n in sizes)
    chunk = reader.parse(b"".join(heads) + CHECK_HEAD + b"\0\0\0\0" + frame(STATEMENT, b"[]") * 40, final=True)
    assert (chunk.damaged, pairs(chunk.records)[-1:]) == (1, [(STATEMENT, b"[]")])

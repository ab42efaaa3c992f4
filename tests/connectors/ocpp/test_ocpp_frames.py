"""Frames: one reading where only one is possible, one kind of error everywhere else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ocpp.frames import Call, CallError, CallResult, FrameError, decode, encode_call, encode_error

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("frame", "read"),
    [
        ([2, "1", "Heartbeat", {}], Call("1", "Heartbeat", {})),
        (["2", "1", "Heartbeat", {}], Call("1", "Heartbeat", {}, sloppy=True)),
        ([2, "1", "Heartbeat"], Call("1", "Heartbeat", {}, sloppy=True)),
        ([2, "1", "Heartbeat", None], Call("1", "Heartbeat", {}, sloppy=True)),
        ([2, "1", "Heartbeat", {}, "more"], Call("1", "Heartbeat", {}, sloppy=True)),
        ([2, 17, "Heartbeat", {}], Call(17, "Heartbeat", {}, sloppy=True)),
        ([3, "1", {"status": "Accepted"}], CallResult("1", {"status": "Accepted"})),
        ([3, 17, {}], CallResult("17", {}, sloppy=True)),
        ([3, "1"], CallResult("1", {}, sloppy=True)),
        ([4, "1", "GenericError", "text", {}], CallError("1", "GenericError", "text")),
        ([4, "1", "GenericError"], CallError("1", "GenericError", "", sloppy=True)),
        ([4, "1"], CallError("1", "", "", sloppy=True)),
        ([4, "1", 7, None, []], CallError("1", "7", "None")),
    ],
)
def test_a_frame_with_one_possible_reading_is_read(frame: Any, read: Any) -> None:
    assert decode(json.dumps(frame).encode()) == read


@pytest.mark.parametrize(
    ("frame", "reply_to", "answers"),
    [
        ([2, "1", ["Heartbeat"], {}], "1", None),
        ([2, "1", {"a": 1}, {}], "1", None),
        ([2, "1", None, {}], "1", None),
        ([2, "1", "", {}], "1", None),
        ([2, "1", "A" * 65, {}], "1", None),
        ([2, 9], 9, None),
        ([2, "1", "Heartbeat", []], "1", None),
        ([2, "1", "Heartbeat", "x"], "1", None),
        ([3, "1", []], None, "1"),
        ([3, 17, "Accepted"], None, "17"),
    ],
)
def test_a_bad_message_that_can_be_answered_says_to_whom(frame: Any, reply_to: Any, answers: Any) -> None:
    with pytest.raises(FrameError) as error:
        decode(json.dumps(frame).encode())
    assert (error.value.reply_to, error.value.answers) == (reply_to, answers)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"nonsense",
        b'[2,"1","Heartbeat",{}',
        b'[2,"1","Heartbeat",{}]x',
        b"[" * 5000 + b"]" * 5000,
        b'[2,"1","Heartbeat",' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"]",
        b'[2,"1","Heartbeat",{"a":1' + b"0" * 5000 + b"}]",
        b'[2,"1","Heartbeat",{"a":NaN}]',
        b'[2,"1","Heartbeat",{"a":-Infinity}]',
        b'[2,"1","Heartbeat",{"a":1e999}]',
        b'[2,"1","Heart\xffbeat",{}]',
        b'[2,"1","\\ud800",{}]',
        b"{}",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b"[2]",
        b'[true,"1","Heartbeat",{}]',
        b'[2.0,"1","Heartbeat",{}]',
        b'[1,"1","Heartbeat",{}]',
        b'[[2],"1","Heartbeat",{}]',
        b'[{},"1","Heartbeat",{}]',
        b'[2,null,"Heartbeat",{}]',
        b'[2,true,"Heartbeat",{}]',
        b'[2,1.5,"Heartbeat",{}]',
        b'[2,[],"Heartbeat",{}]',
        b'[2,{},"Heartbeat",{}]',
        b'[2,"","Heartbeat",{}]',
        b'[2,"' + b"i" * 129 + b'","Heartbeat",{}]',
        b"[3,null,{}]",
        b'[4,[],"GenericError","",{}]',
        b"\x00\x01\x02",
        b"\xef\xbb\xbf[]",
    ],
)
def test_a_frame_that_is_no_message_is_refused_and_nothing_is_to_be_answered(data: bytes) -> None:
    with pytest.raises(FrameError) as error:
        decode(data)
    assert error.value.reply_to is None
    assert error.value.answers is None
    assert error.value.cause


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with suppress(FrameError):
        decode(data)


@given(st.lists(JSON, max_size=6) | st.tuples(st.sampled_from([2, 3, 4, "2", "3", "4"]), JSON, JSON, JSON))
def test_no_json_raises_anything_else(message: Any) -> None:
    try:
        frame = decode(json.dumps(message).encode())
    except FrameError:
        return
    assert isinstance(frame.unique_id, str | int)
    if not isinstance(frame, CallError):
        assert isinstance(frame.payload, dict)


def test_what_is_encoded_is_read_back() -> None:
    assert decode(encode_call("d1", "Reset", {"type": "Soft"})) == Call("d1", "Reset", {"type": "Soft"})
    assert decode(encode_error("d1", "InternalError", "x" * 300)) == CallError("d1", "InternalError", "x" * 255)

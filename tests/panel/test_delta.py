import json
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from panel.delta import Delta, apply_delta, diff
from panel.shapes import PanelView
from panel.view import view
from tests.panel.depot import AFTERNOON, report
from tests.panel.outlets import views
from tests.services import require_program

STATIC = Path(__file__).parents[2] / "panel" / "static"

COMPARE = """
import { Model } from "%s";
import assert from "node:assert";
import { readFileSync } from "node:fs";
const model = new Model();
for (const line of readFileSync(0, "utf8").trim().split("\\n")) {
  const { message, expected } = JSON.parse(line);
  assert.notEqual(model.take(message), null, "a message was taken for a gap");
  assert.deepStrictEqual(model.view, expected);
  assert.deepStrictEqual([...model.byId.connectors.values()], model.view.connectors);
}
assert.equal(model.take({ type: "delta", seq: model.seq + 2 }), null);
"""


def over_the_wire(delta: Delta) -> Delta:
    return Delta.model_validate_json(json.dumps(delta.model_dump(exclude_defaults=True), allow_nan=False))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(old=views(), new=views())
def test_a_delta_applied_to_the_old_view_is_the_new_view_exactly(old: PanelView, new: PanelView) -> None:
    assert apply_delta(old, over_the_wire(diff(old, new))) == new


@given(same=views())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_between_equal_views_there_is_nothing_to_send(same: PanelView) -> None:
    assert diff(same, same.model_copy(deep=True)) == Delta()


def test_a_second_in_which_one_connector_moved_sends_that_connector_only() -> None:
    before = view(report())
    moved = (replace(AFTERNOON[0], current_a=30.0), *AFTERNOON[1:])
    delta = diff(before, view(report(moved)))
    assert set(delta.connectors) == {"CP-01/1"}
    assert set(delta.connectors["CP-01/1"]) == {"current_a", "power_kw"}
    assert delta.replace == {}


@pytest.mark.services
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_browsers_model_follows_every_delta_to_the_same_view(data: st.DataObject) -> None:
    node = require_program("node")
    sequence = data.draw(st.lists(views(), min_size=4, max_size=8))
    whole = [shown.model_dump(mode="json") for shown in sequence]
    lines = [{"message": {"type": "snapshot", "seq": 1, "view": whole[0]}, "expected": whole[0]}]
    for number, (old, new) in enumerate(pairwise(sequence), 2):
        parts = diff(old, new).model_dump(exclude_defaults=True)
        lines.append({"message": {"type": "delta", "seq": number, **parts}, "expected": new.model_dump(mode="json")})
    script = COMPARE % (STATIC / "js" / "model.js").as_uri()
    told = "\n".join(json.dumps(line) for line in lines)
    ran = subprocess.run(
        [node, "--input-type=module", "-e", script], check=False, input=told, capture_output=True, text=True, timeout=20
    )
    assert ran.returncode == 0, ran.stderr

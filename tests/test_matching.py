"""Dimensions are matched by what they do to pictures, judged by a reader that looks where it is told to."""

from __future__ import annotations

from pathlib import Path

import torch

from mmvae.checkpoints import Checkpoint, open_checkpoint
from mmvae.data import DATASETS, Factor
from mmvae.latents import Block
from mmvae.matching import Effect, Place, by_factor, by_index, carriers, change_both, effects
from mmvae.readers import Readers, Reading, readers_for
from tests.tiny import tiny_model

BRIGHT = Factor("bright", "ordered", (0.0, 1.0))
TILT = Factor("tilt", "ordered", (0.0, 1.0), owner="a")
WHO = Factor("who", "categorical", ("x", "y"))
CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
PARTS = (Block("z_a", 1, "a"), Block("z_shared", 2), Block("z_b", 1, "b"))


class Brightness:
    """Reads how bright a picture is."""

    factors = (BRIGHT,)

    def read(self, images):
        return {"bright": Reading(images.flatten(1).mean(1))}


def effect(block, dimension, sign=1, **factors):
    return Effect(block, dimension, {"a": 0.1, "b": 0.1}, factors, dict.fromkeys(factors, sign))


def test_a_private_dimension_changes_its_own_picture_alone_and_its_sign_is_that_of_the_reading():
    model = tiny_model("dmvae")
    readers = Readers("tiny", {"a": Brightness(), "b": Brightness()}, {})
    found = effects(Checkpoint(None, model, {}, {}, {}), readers)
    assert [(e.block, e.dimension) for e in found] == [(b.name, d) for b in model.blocks for d in range(b.dim)]
    for e in found:
        owner = model.block(e.block).owner
        assert all((change == 0) == (owner not in (None, name)) for name, change in e.pixels.items())
    assert change_both(found) <= model.block("z_shared").dim
    code = {block.name: torch.zeros(2, block.dim) for block in model.blocks}
    code["z_a"][:, 0] = torch.tensor([-3.0, 3.0])
    with torch.inference_mode():
        dark, bright = model.decode(code)["a"].flatten(1).mean(1).tolist()
    assert found[0].signs["bright"] == (1 if bright >= dark else -1)


def test_by_index_pairs_what_there_is_and_leaves_gaps():
    slots = by_index([PARTS, (Block("z_shared", 3),)])
    assert [slot.owner for slot in slots] == ["a", None, None, None, "b"]
    assert slots[0].places == (Place("z_a", 0), None) and slots[3].places == (None, Place("z_shared", 2))


def test_by_factor_puts_a_shared_dimension_beside_the_private_one_that_carries_the_same():
    clean = [effect("z_a", 0, tilt=0.9, bright=0.0), effect("z_shared", 0, bright=0.8)]
    leaky = [effect("z_a", 0, tilt=0.05), effect("z_shared", 0, bright=0.7), effect("z_shared", 1, -1, tilt=0.6)]
    slots = by_factor([clean, leaky], (BRIGHT, TILT))
    assert [slot.title for slot in slots] == ["bright", "tilt", "other 1"]
    assert slots[1].owner == "a" and slots[1].places == (Place("z_a", 0), Place("z_shared", 1, -1))
    assert slots[2].places == (None, Place("z_a", 0))


def test_what_makes_another_class_of_every_picture_is_still_the_ordered_factors_dimension():
    found = [effect("z_a", 0, tilt=0.9, bright=0.0, who=1.0), effect("z_a", 1, tilt=0.4, bright=0.0, who=1.0),
             effect("z_shared", 0, tilt=0.1, bright=0.5, who=1.0), effect("z_shared", 1, tilt=0.0, bright=0.2, who=0.9), effect("z_b", 0, tilt=0.0, bright=0.0, who=0.1)]
    own = carriers(found, (WHO, BRIGHT, TILT))
    assert {name: [(e.block, e.dimension) for e in those] for name, those in own.items()} == {
        "tilt": [("z_a", 0), ("z_a", 1)], "bright": [("z_shared", 0)], "who": [("z_shared", 1)]}
    assert [slot.title for slot in by_factor([found], (WHO, BRIGHT, TILT))] == ["bright", "tilt", "tilt 2", "who", "other 1"]


def test_an_ordered_factor_takes_the_dimension_that_moves_it_most_though_another_factor_would_have_it_too():
    found = [effect("z_shared", 0, tilt=0.6, bright=0.8), effect("z_shared", 1, tilt=0.2, bright=0.7)]
    own = carriers(found, (BRIGHT, TILT))
    assert own == {"bright": [found[0]], "tilt": [found[1]]}


class Undecided:
    """Takes a picture for one of two classes by how bright it is, and is never sure."""

    factors = (WHO,)

    def read(self, images):
        bright = images.flatten(1).mean(1)
        share = (0.49 + 0.02 * (bright - bright.min()) / (bright.max() - bright.min()))[:, None]
        return {"who": Reading((share[:, 0] > 0.5).long(), torch.cat([1 - share, share], 1))}


def test_a_class_counts_by_the_probability_that_changes_hands_and_not_by_whether_it_flips():
    found = effects(Checkpoint(None, tiny_model("dmvae"), {}, {}, {}), Readers("tiny", {"a": Undecided(), "b": Undecided()}, {}))
    assert all(0 < e.factors["who"] <= 0.02 for e in found)


def test_the_shipped_faces_have_elevation_and_lighting_in_their_private_codes_and_azimuth_in_the_shared_one():
    found = effects(open_checkpoint(CHECKPOINTS / "faces-mumo"), readers_for("faces"))
    own = carriers(found, DATASETS["faces"].factors)
    assert {e.block for e in own["elevation"]} == {"z_elevation"} and {e.block for e in own["lighting"]} == {"z_lighting"}
    assert {e.block for e in own["azimuth"]} == {"z_shared"} == {e.block for e in own["identity"]}
    idle = [(e.block, e.dimension) for e in found if not any(e in carrying for carrying in own.values())]
    assert idle == [("z_elevation", 1), ("z_lighting", 1)]  # closed in its last training

"""What a checkpoint says of itself is shown letter by letter: nothing of it becomes a picture or a link, which a browser would fetch or follow."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from mmvae.checkpoints import CONFIG, config_of, save
from mmvae.latents import partition
from mmvae.modalities import Modality
from mmvae.model import MultimodalVAE
from mmvae.notation import diagram
from mmvae.variants import VARIANTS
from tests.tiny import A, B
from tests.ui.test_explore_page import write
from tests.ui.test_foreign_models import opened

PICTURE = "![](http://127.0.0.1:9/beacon)"


@pytest.fixture
def home(bare) -> Path:
    """Checkpoints that bring a picture's address: in every text of variant and modalities, in its own name, in the modalities' names."""
    for name, variant in (("uploaded", "mumo"), ("beside![](beacon)", "vanilla")):
        write(bare / "uploads" / name, variant)
        file = bare / "uploads" / name / CONFIG
        config = json.loads(file.read_text("utf-8"))
        for texts in (config["variant"], *config["modalities"]):
            texts |= {key: f"{texts[key]} {PICTURE}" for key in ("title", "summary", "source") if key in texts}
            texts |= {key: f"{texts[key]}\n$$\n{PICTURE}" for key in ("symbol",) if key in texts}  # beyond the end of a formula
        file.write_text(json.dumps(config), "utf-8")
    modalities = [replace(m, name=f"{m.name}![](beacon)") for m in (A, B)]
    named = MultimodalVAE(VARIANTS["mumo"], modalities, partition([m.name for m in modalities], private=(2, 2), shared=3))
    save(bare / "uploads" / "named", named, config_of(named, {}))
    return bare


def markdown(page: AppTest) -> list[str]:
    """Every text on a page that Streamlit takes for Markdown."""
    protos = [proto for element in page.main if element.type not in ("html", "code", "latex") and isinstance(proto := getattr(element, "proto", None), Message)]
    around = [text for formula in page.latex for text in formula.proto.body.split("$$")[::2]]
    return around + [text for proto in protos for text in texts(proto)]


def texts(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        for part in value if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else [value]:
            if isinstance(part, Message):
                yield from texts(part)
            elif isinstance(part, str) and field.name in ("body", "label", "help", "content"):
                yield part


@pytest.mark.parametrize(("page", "parameters"), [
    ("home", {}), ("train", {}), *(("explore", {"model": name}) for name in ("uploaded", "named")), *(("map", {"model": name}) for name in ("uploaded", "named")),
    *(("translate", {"models": name, "view": view}) for name in ("uploaded", "named") for view in ("translate", "swap", "check")),
    *(("compare", {"models": "uploaded,beside![](beacon)", "view": view}) for view in ("leakage", "live", "maps", "figures", "training", "results")),
    *(("compare", {"models": "named", "view": view}) for view in ("live", "figures")),
    *((page, {"model" + "s" * (page in ("translate", "compare")): "uploaded", "broken": "yes"}) for page in ("home", "explore", "translate", "map", "compare"))])
def test_no_text_of_a_checkpoint_is_taken_for_markdown(home, page, parameters):
    if parameters.pop("broken", None):
        (home / "uploads" / "beside![](beacon)" / "weights.safetensors").write_bytes(b"")
        (home / "uploads" / "uploaded" / "weights.safetensors").write_bytes(b"")
    said = markdown(opened(page, **parameters))
    assert said and [text for text in said if "![](" in text] == []


def test_a_symbol_adds_nothing_to_a_graph():
    modalities = [Modality(name, (1, 28, 28), symbol, name, network="small28") for name, symbol in (("a", 'x_<a HREF="//beacon">'), ("b", '<a HREF="//beacon">'))]
    assert "<a " not in diagram(VARIANTS["mumo"], modalities)

"""How a map is drawn: what the benchmark of it measures, and what is left out where a processor has to draw."""

import pytest

from mmvae.bench.drawing import MOTIONS, measure


def test_every_motion_is_drawn_and_measured(page):
    rows = measure(page, 500, 0.3)
    assert [row["motion"] for row in rows] == list(MOTIONS)
    assert all(row["renderer"] and row["frames_per_second"] > 0 and 0 < row["frame_p50_ms"] <= row["frame_p95_ms"] for row in rows)


@pytest.mark.parametrize(("renderer", "smoothed"), [("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device))", False), ("ANGLE (NVIDIA GeForce)", True)])
def test_lines_are_smoothed_by_a_graphics_processor_alone(alone, renderer, smoothed):
    assert alone("points.js").evaluate("""async (renderer) => {
      const { Points } = await import("/points.js");
      const own = WebGLRenderingContext.prototype.getParameter;
      WebGLRenderingContext.prototype.getParameter = function (name) { return name === 0x9246 ? renderer : own.call(this, name); };
      return new Points(document.createElement("canvas"), () => {}).gl.getContextAttributes().antialias;
    }""", renderer) is smoothed

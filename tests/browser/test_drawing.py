"""How a map is drawn: by a graphics processor where there is one, else by the processor, which draws the same; and the benchmark of it."""

import numpy as np
import pytest

from mmvae.bench.drawing import MOTIONS, measure

WIDTH, HEIGHT = 240, 180
SOFTWARE, GRAPHICS = "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device))", "ANGLE (NVIDIA GeForce)"
GROUND = (11, 14, 20)

#: Draws a map on a canvas of its own, in a browser that says its WebGL is of `renderer` or has none, and gives the picture's rows from the top.
DRAW = """async ({ renderer, positions, colours, behind, lines, size, centre, zoom, width, height, top }) => {
  const { Points } = await import("/points.js");
  const { getParameter } = WebGLRenderingContext.prototype;
  WebGLRenderingContext.prototype.getParameter = function (name) { return name === 0x9246 ? renderer : getParameter.call(this, name); };
  const { getContext } = HTMLCanvasElement.prototype;
  if (!renderer) HTMLCanvasElement.prototype.getContext = function (kind, ...rest) { return kind === "webgl" ? null : getContext.call(this, kind, ...rest); };
  const canvas = document.createElement("canvas");
  const points = new Points(canvas, () => {});
  Object.defineProperty(points, "size", { value: size });
  points.resize(width, height, top);
  points.place(Float32Array.from(positions), false);
  points.colour({ colours: Uint8Array.from(colours), behind: Uint8Array.from(behind) });
  if (lines) points.join(Uint32Array.from(lines));
  Object.assign(points, { centre, zoom });
  points.paint();
  const copy = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const around = Array.from({ length: points.count }, (_, i) => points.toMap(...points.toScreen(positions[2 * i], positions[2 * i + 1])));
  return { around, webgl: Boolean(points.gl), smoothed: Boolean(points.gl?.getContextAttributes().antialias), pixels: [...copy.getImageData(0, 0, width, height).data] };
}"""


def drawn(page, renderer, positions, colours, behind=None, lines=None, size=6.0, centre=(0, 0), zoom=1.0, top=0):
    """What is drawn, float [height, width, 3], and what else the page tells."""
    page.goto("http://panel.test/")  # which processor draws is asked once a page
    found = page.evaluate(DRAW, {
        "renderer": renderer, "positions": np.ravel(positions).tolist(), "colours": np.ravel(colours).tolist(),
        "behind": [0] * len(positions) if behind is None else behind, "lines": lines, "size": size, "centre": list(centre), "zoom": zoom,
        "width": WIDTH, "height": HEIGHT, "top": top})  # fmt: skip
    return np.array(found["pixels"], float).reshape(HEIGHT, WIDTH, 4)[..., :3], found


def test_every_motion_is_drawn_and_measured(page):
    rows = measure(page, 500, 0.3)
    assert [row["motion"] for row in rows] == list(MOTIONS)
    assert all(row["renderer"] and row["frames_per_second"] > 0 and 0 <= row["frame_p50_ms"] <= row["frame_p95_ms"] for row in rows)


@pytest.mark.parametrize(("renderer", "webgl"), [(SOFTWARE, False), ("Microsoft Basic Render Driver", False), (GRAPHICS, True), (None, False)])
def test_webgl_draws_where_a_graphics_processor_runs_it_and_smooths_lines(alone, renderer, webgl):
    picture, found = drawn(alone, renderer, [(0, 0)], [(255, 0, 0, 255)])
    assert (found["webgl"], found["smoothed"]) == (webgl, webgl)
    assert picture[HEIGHT // 2, WIDTH // 2] == pytest.approx((255, 0, 0), abs=3) and tuple(picture[2, 2]) == GROUND


@pytest.mark.parametrize("size", [2.2, 5.0, 12.3])
@pytest.mark.parametrize(("centre", "zoom"), [((0, 0), 1.0), ((0.4, -0.3), 3.0)])
def test_the_processor_draws_points_as_webgl_does(alone, size, centre, zoom):
    generator = np.random.default_rng(0)
    positions = generator.uniform(-1, 1, (400, 2))
    colours = np.concatenate([generator.integers(60, 255, (400, 3)), generator.choice([0, 165, 215], (400, 1))], 1)
    given = {"behind": generator.integers(0, 2, 400).tolist(), "size": size, "centre": centre, "zoom": zoom}
    ours, theirs = (drawn(alone, renderer, positions, colours, **given)[0] for renderer in (SOFTWARE, GRAPHICS))
    drawn_at_all, apart = np.square(theirs - GROUND).mean(), np.square(ours - theirs).mean()
    assert drawn_at_all > 10 and apart < 0.05 * drawn_at_all


@pytest.mark.parametrize("renderer", [SOFTWARE, GRAPHICS])
def test_a_line_joins_its_points_from_one_to_the_other_and_no_farther(alone, renderer):
    ends = [(-0.5, 0.5), (0.5, -0.5), (-4, 0.9), (4, 0.9)]
    picture, _ = drawn(alone, renderer, ends, [(0, 0, 0, 0)] * 4, lines=[0, 1, 2, 3], size=3.0)
    bright = picture.max(axis=2) > 40
    unit = 0.9 * HEIGHT / 2
    across = np.flatnonzero(bright[HEIGHT // 2 - 20:HEIGHT // 2 + 20].any(axis=0))
    assert across.min() == pytest.approx(WIDTH / 2 - 20, abs=2) and across.max() == pytest.approx(WIDTH / 2 + 20, abs=2)
    assert np.flatnonzero(bright[HEIGHT // 2 + 20:].any(axis=0)).max() == pytest.approx(WIDTH / 2 + 0.5 * unit, abs=2)
    level = bright[round(HEIGHT / 2 - 0.9 * unit) - 2:round(HEIGHT / 2 - 0.9 * unit) + 2]
    assert level.any(axis=0).all()  # both of its ends lie beyond the map


@pytest.mark.parametrize("renderer", [SOFTWARE, GRAPHICS])
@pytest.mark.parametrize(("pairs", "least"), [(2000, 40), (10_000, 18), (60_000, 10)])
def test_one_line_of_many_is_seen_by_itself(alone, renderer, pairs, least):
    ends = np.zeros((2 * pairs, 2))
    ends[:2] = [(-0.5, 0), (0.5, 0)]  # all others join a place to itself
    picture, _ = drawn(alone, renderer, ends, np.zeros((2 * pairs, 4), int), lines=list(range(2 * pairs)))
    column = picture[HEIGHT // 2 - 3:HEIGHT // 2 + 3, WIDTH // 2 - 20]
    assert (column.max(axis=1) - max(GROUND)).sum() > least  # a smoothed line may share its light among two rows


@pytest.mark.parametrize("renderer", [SOFTWARE, GRAPHICS])
def test_a_whole_map_keeps_clear_of_what_covers_its_top(alone, renderer):
    places = [(0, 1), (0, -1), (0, 0)]
    picture, found = drawn(alone, renderer, places, [(255, 255, 255, 255)] * 3, top=60)
    rows = np.flatnonzero(picture[:, WIDTH // 2].min(axis=1) > 200)
    assert rows.min() > 60 and rows.max() < HEIGHT
    assert all(abs(rows - (60 + HEIGHT) / 2 - step * 0.45 * (HEIGHT - 60)).min() <= 1 for step in (-1, 0, 1))
    assert np.allclose(found["around"], places, atol=1e-6)  # what is pointed at is what is drawn there


@pytest.mark.parametrize("renderer", [SOFTWARE, GRAPHICS])
def test_points_in_focus_lie_on_those_behind_and_hidden_ones_are_not_drawn(alone, renderer):
    place = [(0, 0)] * 3
    picture, _ = drawn(alone, renderer, place, [(0, 255, 0, 255), (255, 0, 0, 255), (0, 0, 255, 0)], behind=[0, 1, 0])
    assert picture[HEIGHT // 2, WIDTH // 2] == pytest.approx((0, 255, 0), abs=3)


def test_a_disc_at_the_edge_is_drawn_by_half(alone):
    picture, _ = drawn(alone, SOFTWARE, [(0, 0)], [(255, 255, 255, 255)], size=13.0, centre=(-WIDTH / (0.9 * HEIGHT), 0))
    column = picture[HEIGHT // 2 - 3:HEIGHT // 2 + 3, -1].mean()
    assert column > 200 and picture[:, :-8].max() == 20  # what lies beyond the right edge does not come in at the left


@pytest.mark.parametrize(("value", "said"), [(0, "0°"), (-0.3, "0°"), (18, "+18°"), (-90, "−90°")])
def test_an_angle_on_a_map_has_no_sign_where_it_is_zero(alone, value, said):
    assert alone.evaluate("async (value) => (await import('/colouring.js')).say({ unit: '°' }, value)", value) == said

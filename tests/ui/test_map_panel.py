"""The routes of the Map page: figures and judging that keep nobody waiting, failures in words, files that say what they are."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, unquote

import pytest
from starlette.requests import Request
from tiny import TinyPairs, tiny_model

from mmvae.data import DataError
from mmvae.embedding import PCA, TSNE, UMAP
from mmvae.maps import EACH, Choice, Job
from ui import map_panel


@pytest.fixture
def job(tmp_path, monkeypatch) -> Job:
    """A finished map of both modalities' codes, the only one of the server."""
    monkeypatch.setattr(map_panel, "_jobs", map_panel.Jobs())
    monkeypatch.setattr(map_panel, "_judging", {})
    made = Job(tiny_model("mumo"), TinyPairs(), "weights", Choice(("z_shared",), EACH, count=24), PCA(), tmp_path)
    made.run()
    map_panel._jobs.begin(made)
    return made


async def ask(route_name: str, job: Job, **query: str):
    route = next(route for route in map_panel.routes if route.path.endswith(f"/{route_name}"))
    text = "&".join(f"{key}={value}" for key, value in query.items()).encode()
    return await route.endpoint(Request({"type": "http", "method": "GET", "path": "", "headers": [], "query_string": text, "path_params": {"key": job.key}}))


def answered(question):
    """Awaits it in a thread: a browser's tests before these leave a running loop in this one."""
    return ThreadPoolExecutor(1).submit(asyncio.run, question).result()


async def settled(job: Job, name: str):
    """What a column's request is answered once it is not to come back later."""
    while (reply := await ask("column", job, name=name)).status_code == 202:
        await asyncio.sleep(0.01)
    return reply


def test_judging_that_failed_says_why_and_is_tried_again_where_somebody_asks_again(job):
    judge, begun = job.judge, []

    def first_fails(readers, tell=None):
        begun.append(1)
        if len(begun) == 1:
            raise RuntimeError("no memory")
        return judge(readers, tell)

    job.judge = first_fails

    async def twice():
        return [await settled(job, "error") for _ in range(2)]

    failed, found = answered(twice())
    assert failed.status_code == 400 and failed.body.decode() == "this could not be computed: RuntimeError: no memory"
    assert found.status_code == 200
    separation = json.loads(answered(ask("figures", job, colour="verdict")).body)
    assert separation["silhouette"] is None and separation["without"] is None  # these images have no readers


def test_items_that_the_data_set_has_no_more_are_refused_in_one_line(job):
    class Gone(TinyPairs):
        def items(self, ids):
            raise DataError(f"item {ids[0]}: no such pair")

    job.data = Gone()
    reply = answered(ask("pictures", job, points="0,1"))
    assert reply.status_code == 400 and reply.body.decode() == f"item {job.codes.ids[0]}: no such pair"


def test_a_finished_map_that_is_cancelled_too_late_can_still_be_judged(job):
    async def late():
        cancelled = await ask("cancel", job)
        return cancelled, await settled(job, "error")

    cancelled, found = answered(late())
    assert (cancelled.status_code, found.status_code) == (204, 200)


def test_pictures_are_answered_while_figures_of_many_colours_are_computed(job, monkeypatch):
    go_on = threading.Event()

    def slow(job, codes, colour):
        go_on.wait(60)
        return {}

    monkeypatch.setattr(map_panel, "_measured", slow)

    async def both():
        waiting = [asyncio.create_task(ask("figures", job, colour=str(i))) for i in range(64)]
        await asyncio.sleep(0)
        pictures = await asyncio.wait_for(ask("pictures", job, points="0,1"), 30)
        assert not any(task.done() for task in waiting)
        go_on.set()
        await asyncio.gather(*waiting)
        return pictures

    assert answered(both()).status_code == 200


@pytest.mark.parametrize(("colour", "words"), [("kl", None), ("verdict", "not decoded yet")])
def test_where_there_is_no_figure_of_classes_there_is_a_word_if_there_are_classes(job, colour, words):
    found = json.loads(answered(ask("figures", job, colour=colour)).body)
    assert found["silhouette"] is None and found["without"] == words


def test_figures_of_classes_and_of_the_gap_are_measured(job):
    found = json.loads(answered(ask("figures", job, colour="modality")).body)
    assert -1 <= found["silhouette"] <= 1 and found["chance"] == pytest.approx(0.5, abs=0.2)
    assert found["gap"]["ratio"] == pytest.approx(found["gap"]["paired"] / found["gap"]["random"])


def test_an_ordered_factor_is_told_by_how_far_off_neighbours_are_and_not_as_classes(job):
    found = json.loads(answered(ask("figures", job, colour="brightness")).body)
    assert (found["silhouette"], found["accuracy"], found["without"]) == (None, None, None)
    assert 0 < found["amount"]["error"] and 0 < found["amount"]["chance"] and found["amount"]["unit"] == ""
    assert json.loads(answered(ask("figures", job, colour="modality")).body)["amount"] is None


def test_an_exported_page_names_the_model_and_how_the_map_was_made(job, monkeypatch):
    name = '模型 #1, "a"'
    monkeypatch.setattr(map_panel.models, "names", lambda: [name])
    reply = answered(ask("export", job, kind="html", colour="modality", model=quote(name)))
    assert unquote(reply.headers["content-disposition"].partition("UTF-8''")[2]) == f"{name}-map-z_shared-each-pca-seed-0.html"
    page = reply.body.decode()
    assert "<title>模型 #1, &quot;a&quot;: PCA of z_shared, means given each image alone; 24 items</title>" in page
    for modality, hue in zip(("a", "b"), map_panel.COLOURS["modality"]):
        assert f'"color":"{hue}"' in page and f'"name":"{modality}"' in page


def test_an_exported_page_is_coloured_by_a_factor_while_the_colour_of_the_page_is_not_known_yet(job, monkeypatch):
    monkeypatch.setattr(map_panel.models, "names", lambda: ["a"])
    factor = next(f for f in job.factors if map_panel._factor(f)["kind"] != "many")
    page = answered(ask("export", job, kind="html", colour="verdict", model="a")).body.decode()
    data = page[page.rindex("Plotly.newPlot("):]
    assert f'"colorbar":{{"title":{{"text":"{factor.name}"}}}}' in data or f'"legend":{{"title":{{"text":"{factor.name}"}}' in data
    assert '"name":"others"' not in data


def test_amounts_in_a_table_have_the_digits_they_are_rounded_to(job, monkeypatch):
    monkeypatch.setattr(map_panel.models, "names", lambda: ["a"])
    rows = list(csv.DictReader(io.StringIO(answered(ask("export", job, kind="csv", colour="kl", model="a")).body.decode())))
    assert rows and all(len(row["kl"].partition(".")[2]) <= 4 for row in rows)  # in float32 0.0462 is 0.0461999997


def test_two_maps_of_a_model_are_two_files_that_say_what_they_are(job, tmp_path, monkeypatch):
    monkeypatch.setattr(map_panel.models, "names", lambda: ["a"])
    other = Job(job.model, job.data, "weights", Choice(("z_a", "z_b"), count=24), TSNE(perplexity=7, iterations=50, seed=3), tmp_path)
    other.run()
    map_panel._jobs.begin(other)
    names, told = [], []
    for each in (job, other):
        reply = answered(ask("export", each, kind="csv", colour="kl", model="a"))
        names.append(unquote(reply.headers["content-disposition"].partition("UTF-8''")[2]))
        told.append({row["coordinates"] for row in csv.DictReader(io.StringIO(reply.body.decode()))})
    assert len(map_panel.own_columns(reply.body)) > 2  # what the page itself reads
    assert names == ["a-map-z_shared-each-pca-seed-0.csv", "a-map-z_a+z_b-tsne-perplexity-7-iterations-50-seed-0-3.csv"]
    assert told == [{"a: PCA of z_shared, means given each image alone; 24 items; seed 0"}, {"a: t-SNE of z_a + z_b, means given the pair; 24 items; perplexity 7, 50 iterations; seed 0-3"}]


def test_a_map_says_how_many_items_it_shows_and_its_parameters(tmp_path):
    made = Job(tiny_model("mumo"), TinyPairs(), "weights", Choice(("z_a", "z_shared"), "a", True, count=1200), UMAP(30, 0.25), tmp_path)
    assert map_panel.described(made) == "UMAP of z_a + z_shared, samples given a alone; 1,200 items; 30 neighbours, least distance 0.25"

"""Arrays on disk: whole whoever else writes them, none where they are damaged."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mmvae.data import DataError
from mmvae.data.arrays import read_arrays, whole_arrays, write_arrays


def test_threads_that_write_one_file_at_a_time_leave_it_whole(tmp_path):
    def write(level: int) -> None:
        for _ in range(20):
            write_arrays(tmp_path / "a.npz", level=np.full(50_000, level))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    level = read_arrays(tmp_path / "a.npz")["level"]
    assert (level == level[0]).all() and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_arrays_that_can_be_made_again_are_none_where_they_cannot_be_read(tmp_path, content):
    file = tmp_path / "a.npz"
    if content is not None:
        file.write_bytes(content)
    assert whole_arrays(file) is None
    with pytest.raises(DataError):
        read_arrays(file)
    write_arrays(file, **{"label a": np.arange(3)})
    assert whole_arrays(file)["label a"].tolist() == [0, 1, 2]

"""Blocks are named after their owners and stand in the order in which people read them."""

import pytest

from mmvae.latents import SHARED, Block, partition


def test_a_partition_puts_the_shared_block_between_the_private_ones():
    first, shared, second = partition(["elevation", "lighting"], private=(2, 3), shared=5)
    assert first == Block("z_elevation", 2, "elevation")
    assert shared == Block(SHARED, 5, None)
    assert second == Block("z_lighting", 3, "lighting")


def test_a_code_without_private_blocks_is_one_shared_block():
    assert partition(["mnist", "svhn"], shared=20) == (Block("z_shared", 20),)


@pytest.mark.parametrize("private", [(1,), (1, 2, 3)])
def test_private_sizes_must_be_as_many_as_modalities(private):
    with pytest.raises(ValueError):
        partition(["a", "b"], private=private, shared=2)


@pytest.mark.parametrize("sizes", [((0, 2), 5), ((2, -1), 5), ((2, 2), 0)])
def test_an_empty_block_is_refused_by_name(sizes):
    with pytest.raises(ValueError, match=r"block 'z_\w+' needs at least one dimension, got"):
        partition(["a", "b"], private=sizes[0], shared=sizes[1])

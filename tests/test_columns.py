"""A person's columns: what is a number, what a category, what is unknown, and one line where a file is no use."""

from __future__ import annotations

import numpy as np
import pytest

from mmvae.columns import read_columns


def read(text: str):
    return {column.name: column for column in read_columns(text.encode())}


def test_numbers_and_categories_are_told_apart_and_found_by_id():
    found = read("id,score,cluster,who\n7,0.5,10,ann\n3,-2,9,bob\n5,,9,ann\n")
    ids = np.array([3, 5, 7, 99])
    assert found["score"].categories == () and found["cluster"].categories == ("9", "10") and found["who"].categories == ("ann", "bob")
    np.testing.assert_array_equal(found["score"].of(ids), np.float32([-2, np.nan, 0.5, np.nan]))
    np.testing.assert_array_equal(found["cluster"].of(ids), np.float32([0, 0, 1, np.nan]))
    np.testing.assert_array_equal(found["who"].of(ids), np.float32([1, 0, 0, np.nan]))


def test_whole_numbers_of_many_values_are_numbers():
    text = "id,age\n" + "\n".join(f"{i},{i % 11}" for i in range(40))
    assert read(text)["age"].categories == ()
    assert len(read(text.replace(",10", ",9"))["age"].categories) == 10


@pytest.mark.parametrize("text", ["\ufeffID;a\n1;2.5\n", "a\tid\r\n2.5\t1\r\n", 'id,a\n1,"2.5"\n\n'])
def test_separators_byte_order_marks_and_blank_lines_are_as_programs_write_them(text):
    assert read(text)["a"].of(np.array([1])).tolist() == [2.5]


def test_columns_that_tell_nothing_apart_are_left_out():
    text = "id,empty,comment,value\n" + "\n".join(f"{i},nan,remark {i},{i / 3}" for i in range(1001))
    assert list(read(text)) == ["value"]


@pytest.mark.parametrize(("content", "words"), [
    (b"", "no column called id: it is empty"), (b"name,x\na,1\n", "the first line names name, x"), (b"id\n1\n", "0 columns beside id"),
    (b"id,x\n", "no line below the first"), (b"id,x\n1,2\n2\n", "line 3 has 1 cells, the first line 2"), (b"id,x\nseven,2\n", "line 2: id 'seven'"),
    (b"id,x\n1,2\n1,3\n", "line 3: id 1 a second time, with another x"), (b"id,x,X\n1,2,3\n", "more than one column is called 'x'"),
    (b"\x89PNG\r\n\x1a\n", "not text in UTF-8"), (b'id,x\n1,"2\n', "not a CSV"), (b"id," + b",".join(b"c%d" % i for i in range(30)) + b"\n", "30 columns beside id"),
])
def test_a_file_that_is_no_use_says_why_in_one_line(content, words):
    with pytest.raises(ValueError) as error:
        read_columns(content)
    assert words in str(error.value) and "\n" not in str(error.value)

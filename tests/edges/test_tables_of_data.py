"""Tables of points as people have them: .csv by Excel, pandas and NumPy, and .npz."""

import io
import time
import zipfile

import numpy as np
import pytest

import minilotto as ml
from minilotto.cli.summary import summary
from minilotto.data.reading import read_dataset

# What a table says, however it is written: two points, the second of three times the weight.
SAME = {
    "plain": b"weight,x,y\n1,2,3\n3,4,5\n",
    "a byte-order mark": b"\xef\xbb\xbfweight,x,y\n1,2,3\n3,4,5\n",
    "quotes": b'"weight","x","y"\n"1","2","3"\n3,4,5\n',
    "capitals": b"Weight,X,Y\n1,2,3\n3,4,5\n",
    "blanks": b' WEIGHT , "x",  y \n 1, 2, 3\n3 ,4 ,5\n',
    "Windows": b"weight,x,y\r\n1,2,3\r\n3,4,5\r\n",
    "old Macintosh": b"weight,x,y\r1,2,3\r3,4,5\r",
    "blank lines": b"\nweight,x,y\n\n1,2,3\n  \n3,4,5\n\n\n",
    "no last line end": b"weight,x,y\n1,2,3\n3,4,5",
    "savetxt": b"# weight,x,y\n1,2,3\n3,4,5\n",
    "savetxt with text": b"# mine\n# weight,x,y\n1.0e+00,2,3\n3,4,5\n",
    "comments": b"# mine\nweight,x,y\n1,2,3\n# more\n3,4,5 # last\n",
}
REFUSED = {
    "pandas' row numbers": (b",x,y\n0,1,2\n", "index=False"),
    "row numbers without quotes": (b'"",x,y\n0,1,2\n', "no name"),
    "row numbers read again": (b"Unnamed: 0,x,y\n0,1,2\n", "unnamed: 0"),
    "a column named index": (b"index,x,y\n0,1,2\n", "index"),
    "an identifier": (b"ID,x,y\n0,1,2\n", "id"),
    "numbers of rows": (b"no,x,y\n0,1,2\n", "no"),
    "numbers of samples": (b"x,Sample_ID,y\n0,1,2\n", "sample_id"),
    "parts of the rows": (b"x,fold,y\n0,1,2\n", "fold"),
    "a NUL in a name": (b"x\x00,y\n1,2\n", "line 1 is no line of a table"),
    "a name that is shown from right to left": ("\u202ex,y\n1,2\n".encode(), "printed"),
    "a last comma": (b"x,y,\n1,2,\n", "no name"),
    "a name twice": (b"x,X,y\n1,2,3\n", "twice"),
    "targets twice": (b"x,y,y\n1,2,3\n", "twice"),
    "weights": (b"weights,x,y\n1,2,3\n", "weights"),
    "w": (b"x,y,W\n1,2,3\n", "'w'"),
    "sample_weight": (b"x,y,sample_weight\n1,2,3\n", "sample_weight"),
    "target": (b"x,target\n1,2\n", "target"),
    "label": (b"x,y,label\n1,2,3\n", "label"),
    "two targets": (b"x,y,y2\n1,2,3\n", "y2"),
    "errors of the targets": (b"x,y,sigma\n1,2,3\n", "sigma"),
    "semicolons": (b"x;y\n1;2\n", "commas"),
    "semicolons and decimal commas": (b"x;y\n1,5;2,5\n", "decimal points"),
    "tabs": (b"x\ty\n1\t2\n", "commas"),
    "bars": (b"x|y\n1|2\n", "commas"),
    "blanks between columns": (b"x y\n1 2\n", "commas"),
    "semicolons below the header": (b"x,y\n1;2\n", "line 2"),
    "decimal commas": (b"x,y\n1,5,2,5\n", "decimal points"),
    "decimal commas in quotes": (b'x,y\n"1,5","2,5"\n', "decimal points"),
    "an empty file": (b"", "empty"),
    "blank lines alone": (b"\n \n", "empty"),
    "a header alone": (b"x,y\n", "no row"),
    "a header and comments": (b"x,y\n# none\n", "no row"),
    "no header": (b"1,2\n3,4\n", "header"),
    "a short row": (b"x,y\n1,2\n\n3\n", "line 4"),
    "a long row": (b"x,y\n1,2\n3,4,5\n", "line 3"),
    "an empty cell": (b"x,y\n1,2\n3,\n", "line 3"),
    "NA": (b"x,y\n1,NA\n", "'NA'"),
    "NaN": (b"x,y\n1,nan\n", "NaN"),
    "infinity": (b"x,y\n1e999,2\n", "infinity"),
    "a word": (b"x,y\none,2\n", "'one'"),
    "a date": (b"date,y\n2020-01-01,2\n", "2020-01-01"),
    "a truth value": (b"x,y\nTrue,2\n", "'True'"),
    "a unit": (b"x,y\n50%,2\n", "50%"),
    "Python's digits": (b"x,y\n1_000,2\n", "1_000"),
    "a typographic minus": ("x,y\n\u22121,2\n".encode(), "line 2"),
    "no targets": (b"x,x2\n1,2\n", "no y"),
    "no inputs": (b"y,weight\n1,2\n", "no x"),
    "a negative weight": (b"x,y,weight\n1,2,-1\n", "at least 0"),
    "UTF-16": ("x,y\n1,2\n".encode("utf-16"), "UTF-8"),
    "Latin 1": ("größe,y\n1,2\n".encode("latin-1"), "UTF-8"),
    "a web page": (b"<html><body>404</body></html>", "no row"),
    "a picture": (bytes(range(256)), "UTF-8"),
    "a NUL": (b"x,y\n\x001,2\n", "line 2 is no line of a table"),
}


@pytest.mark.parametrize("name", ["points.csv", "POINTS.CSV", "two words.Csv"])
@pytest.mark.parametrize("written", SAME)
def test_a_table_is_read_as_it_is_meant(tmp_path, written, name):
    (tmp_path / name).write_bytes(SAME[written])
    data = read_dataset(tmp_path / name)
    assert data.x.tolist() == [[2.0], [4.0]]
    assert data.y.tolist() == [3.0, 5.0]
    assert data.weight.tolist() == [0.25, 0.75]
    assert [each.lower() for each in data.names] == ["x"]


@pytest.mark.parametrize("written", REFUSED)
def test_a_table_that_may_be_misread_is_refused(tmp_path, written):
    content, words = REFUSED[written]
    path = tmp_path / "points.csv"
    path.write_bytes(content)
    with pytest.raises((ml.DataError, ml.FileError)) as error:
        read_dataset(path)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_summary_names_the_inputs(tmp_path):
    (tmp_path / "points.csv").write_text("y,Age,height\n1,2,3\n2,3,5\n")
    data = read_dataset(tmp_path / "points.csv")
    nets = ml.train(ml.Config(width=2, steps=2), 2, data=data)
    assert "inputs: Age, height" in summary(nets)
    names = ",".join(f"x{i}" for i in range(900))
    (tmp_path / "points.csv").write_text(f"{names},y\n" + 2 * ("0," * 900 + "1\n"))
    nets = ml.train(ml.Config(width=2, steps=2), 2, data=read_dataset(tmp_path / "points.csv"))
    assert all(len(line) <= 200 for line in summary(nets).splitlines())
    assert "inputs:" not in summary(ml.train(ml.Config(width=2, steps=2), 2))


def test_a_large_table_takes_seconds(tmp_path):
    with open(tmp_path / "large.csv", "w") as file:
        file.write("x,y\n")
        file.writelines(f"{i / 7},{i}\n" for i in range(200_000))
    began = time.process_time()
    assert read_dataset(tmp_path / "large.csv").points == 200_000
    assert time.process_time() - began < 20


# Archives
ONES = np.ones(3)


def archive(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(name, content)
    return file.getvalue()


def array_file() -> bytes:
    file = io.BytesIO()
    np.save(file, ONES)
    return file.getvalue()


WHOLE = archive(x=ONES, y=ONES)
NO_ARCHIVES = {
    "words": (b"hello\n", "is no .npz file"),
    "nothing": (b"", "is no .npz file"),
    "a part of one": (WHOLE[:-30], "is no .npz file"),
    "its beginning": (b"PK\x03\x04 and no more", "is no .npz file"),
    "one array": (array_file(), "is no .npz file"),
    "damaged bytes": (WHOLE[:140] + b"?" + WHOLE[141:], "damaged"),
    "no arrays": (zipped("a.txt", b"a"), "no x"),
    "x that is no array": (zipped("x.npy", b"a"), "x"),
    "objects": (archive(x=ONES.astype(object), y=ONES), "no array of numbers"),
    "no x": (archive(y=ONES), "no x"),
    "no y": (archive(x=ONES, targets=ONES), "targets"),
    "weights": (archive(x=ONES, y=ONES, weights=ONES), "weights"),
    "x twice": (archive(x=ONES, X=ONES, y=ONES), "twice"),
    "integers": (archive(x=np.arange(3), y=ONES), "int64"),
    "words in x": (archive(x=ONES.astype(str), y=ONES), "dtype"),
    "complex numbers": (archive(x=ONES, y=ONES + 1j), "complex"),
    "records": (archive(x=np.zeros(3, [("a", float)]), y=ONES), "dtype"),
    "one number": (archive(x=np.float64(1), y=ONES), "shape"),
    "unequal lengths": (archive(x=ONES, y=np.ones(4)), "(4,)"),
    "NaN": (archive(x=ONES, y=np.full(3, np.nan)), "NaN"),
}


@pytest.mark.parametrize("written", NO_ARCHIVES)
def test_an_archive_that_holds_no_data_is_refused(tmp_path, written):
    content, words = NO_ARCHIVES[written]
    path = tmp_path / "points.NPZ"
    path.write_bytes(content)
    with pytest.raises((ml.DataError, ml.FileError)) as error:
        read_dataset(path)
    assert words in str(error.value)
    assert "pickle" not in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(ml.FileError) as error:  # it holds no nets either
        ml.load(path)
    assert "\n" not in str(error.value)


def test_names_in_an_archive_may_be_capitals(tmp_path):
    (tmp_path / "points.npz").write_bytes(archive(X=ONES, Y=ONES, Weight=ONES, comment=ONES))
    assert read_dataset(tmp_path / "points.npz").points == 3


def test_the_file_of_nets_holds_their_points(tmp_path):
    nets = ml.train(ml.Config(width=2, steps=2), 2)
    nets.save(tmp_path / "nets.npz")
    np.testing.assert_array_equal(read_dataset(tmp_path / "nets.npz").x, nets.data.x)

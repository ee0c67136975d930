"""examples/python/tessera.py against a mesh of real nodes, the folder of one of which is TESSERA_DATA; TESSERA_MODULE is
a module that echoes its task, and traps at a "!". What needs numpy says so where it is not there."""

import concurrent.futures
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

root = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "examples/python"))
import tessera  # noqa: E402
from tessera import Mesh, TesseraError, as_completed  # noqa: E402

try:
    import numpy
except ImportError:
    numpy = None

needs_numpy = unittest.skipUnless(numpy, "numpy is not installed")


def sum_of_squares(n: int) -> int:
    return (n - 1) * n * (2 * n - 1) // 6


class Jobs(unittest.TestCase):
    mesh = Mesh()

    def test_a_result_is_a_value_of_its_kind(self) -> None:
        self.assertEqual(self.mesh.submit("sumsq", items=1000).result(), str(sum_of_squares(1000)))
        self.assertEqual(self.mesh.submit("mandelbrot", size=32).result()[1:4], b"PNG")

    def test_a_large_blob_has_the_name_that_the_node_gives_it(self) -> None:
        for size in (0, 1, 65536, 65537, (8 << 20) - 1, (20 << 20) + 1):  # The node refuses another: E113.
            data = (b"tessera!" * (size // 8 + 1))[:size]
            self.assertEqual(self.mesh._put(data), tessera.blob_id(data))

    def test_a_list_is_mapped_in_order(self) -> None:
        self.assertEqual(self.mesh.map("sumsq", range(1, 2001)), [sum_of_squares(n) for n in range(1, 2001)])
        self.assertEqual(self.mesh.map("sumsq", [{"items": 4}, "items=5", b"6"]), [14, 30, 55])

    def test_a_task_that_fails_is_raised_or_stands_in_its_place(self) -> None:
        with self.assertRaises(TesseraError) as raised:
            self.mesh.map("sumsq", [3, "three"])
        self.assertEqual(raised.exception.code, "E420")
        first, second = self.mesh.map("sumsq", [3, "three"], errors=True)
        self.assertEqual(first, 5)
        self.assertIsInstance(second, TesseraError)

    def test_a_task_is_one_line(self) -> None:
        with self.assertRaises(ValueError):
            self.mesh.map("sumsq", ["3\n4"])

    def test_jobs_are_futures(self) -> None:
        sizes = [10, 20, 30, 40]
        jobs = {self.mesh.submit("sumsq", items=n): n for n in sizes}
        values = {jobs[job]: int(job.result()) for job in as_completed(jobs, timeout=60)}
        self.assertEqual(values, {n: sum_of_squares(n) for n in sizes})
        done, running = concurrent.futures.wait(jobs, timeout=60)
        self.assertEqual((len(done), len(running)), (4, 0))

    def test_a_callback_is_told(self) -> None:
        told = threading.Event()
        self.mesh.submit("sumsq", items=9).add_done_callback(lambda job: told.set())
        self.assertTrue(told.wait(60))

    def test_jobs_of_many_threads_end(self) -> None:
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            values = list(threads.map(lambda n: int(self.mesh.submit("sumsq", items=n).result(60)), range(2, 42)))
        self.assertEqual(values, [sum_of_squares(n) for n in range(2, 42)])

    def test_a_cancelled_job_ends(self) -> None:
        job = self.mesh.submit("sleep", items=100_000, ms=50)
        self.assertFalse(job.done())
        with self.assertRaises(concurrent.futures.TimeoutError):
            job.result(timeout=0.2)
        self.assertTrue(job.cancel())
        with self.assertRaises(concurrent.futures.CancelledError):
            job.result(timeout=10)
        self.assertEqual(job.status(wait_s=30)["state"], "cancelled")
        self.assertFalse(job.cancel())

    def test_what_is_wrong_is_said_as_the_command_line_says_it(self) -> None:
        with self.assertRaises(TesseraError) as raised:
            self.mesh.submit("sumqs", items=3)
        self.assertEqual((raised.exception.code, raised.exception.fix), ("E423", "did you mean sumsq?"))
        with self.assertRaises(TesseraError) as raised:
            self.mesh.job("0123456789abcdef")
        self.assertEqual(raised.exception.code, "E414")
        with tempfile.TemporaryDirectory() as nobody, self.assertRaises(TesseraError) as raised:
            Mesh(nobody)
        self.assertEqual(raised.exception.code, "E301")

    def test_a_job_is_found_by_its_id_after_its_end(self) -> None:
        job = self.mesh.submit("sumsq", items=77)
        job.result(60)
        self.assertEqual(self.mesh.job(job.id[:16]).result(10), str(sum_of_squares(77)))

    def test_a_result_is_saved_whole(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "m.png"
            job = self.mesh.submit("mandelbrot", size=48)
            job.save(file)
            self.assertEqual(file.read_bytes(), job.result())
            self.assertEqual(os.listdir(folder), ["m.png"])

    def test_the_founding_example_splits_and_stitches(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            photo, sharpened = Path(folder) / "photo.png", Path(folder) / "sharpened.png"
            self.mesh.submit("mandelbrot", size=300).save(photo)
            example = [sys.executable, root / "examples/python/founding.py", photo, sharpened]
            said = subprocess.run(example, capture_output=True, text=True, check=True).stdout
            self.assertRegex(said, r"\A100 tiles in [0-9.]+ s\n")
            alone = self.mesh.submit("tiles", input=photo, tiles=1, op="sharpen").result()
            self.assertEqual(sharpened.read_bytes(), alone)  # No seam.

    def test_peers_kernels_and_events_are_there(self) -> None:
        self.assertEqual(len(self.mesh.peers()), 2)
        self.assertIn("sumsq", [kernel["name"] for kernel in self.mesh.kernels()])
        number, kind, value = next(self.mesh.events("jobs,peers"))
        self.assertEqual((kind, value["schema"]), ("snapshot", 1))

    @unittest.skipUnless(os.environ.get("TESSERA_MODULE"), "no module to run")
    def test_a_module_maps_bytes_to_bytes(self) -> None:
        tasks = [b"a line", b"12", b"\xff\xfe", b"!"]
        values = self.mesh.map(None, tasks, module=os.environ["TESSERA_MODULE"], errors=True)
        self.assertEqual(values[:3], ["a line", 12, b"\xff\xfe"])
        self.assertEqual(values[3].code, "E720")


class Pictures(unittest.TestCase):
    mesh = Mesh()

    @needs_numpy
    def test_an_array_goes_in_and_comes_out(self) -> None:
        y, x = numpy.mgrid[0:60, 0:90]
        picture = numpy.stack([x, y, x + y], axis=2).astype(numpy.uint8)
        out = self.mesh.submit("filter", input=picture, op="gray").result(array=True)
        weights = numpy.array([299, 587, 114])
        expected = (picture.astype(int) @ weights + 500) // 1000
        self.assertEqual(out.shape, (60, 90))
        self.assertLessEqual(int(abs(out.astype(int) - expected).max()), 1)

    @needs_numpy
    def test_every_row_filter_is_undone(self) -> None:
        noise = numpy.random.default_rng(5).integers(0, 256, (17, 23, 3), dtype=numpy.uint8)
        for picture in (noise, noise[:, :, 0], numpy.zeros((3, 5), numpy.uint8)):
            self.assertTrue((tessera.from_png(tessera.to_png(picture)) == picture).all())
        smooth = self.mesh.submit("mandelbrot", size=64)
        self.assertEqual(smooth.result(array=True).shape[:2], (64, 64))

    def test_what_is_no_picture_is_refused(self) -> None:
        class Array:
            dtype, shape = "float64", (3, 3)

        with self.assertRaises(ValueError):
            tessera.to_png(Array())


class Names(unittest.TestCase):
    mesh = Mesh()

    def test_a_blobs_name_is_the_one_that_the_node_gives_it(self) -> None:
        for size in (0, 1, 65_536, 65_537, 3 * 65_536, 7 * 65_536 + 5):
            data = bytes(i * 31 % 251 for i in range(size))
            self.mesh._put(data)  # E113 if the node finds another name.


if __name__ == "__main__":
    unittest.main()

"""The founding example: a picture is split into a hundred tiles, the mesh works on them, and they are stitched together.

    python3 founding.py photo.jpg sharpened.png
"""

import sys

from tessera import Mesh


def main(photo: str, sharpened: str) -> None:
    job = Mesh().submit("tiles", input=photo, tiles=100, op="sharpen")
    job.save(sharpened)
    told = job.status()
    print(f"{told['done']} tiles in {told['elapsed_ms'] / 1000:.2f} s")
    for share in told["shares"]:
        print(f"{share['name']:12} {share['microtasks']:4}")


main(*sys.argv[1:])

"""Frames per second and core of the road scene generator: drawing with labels, and with the JPEG file's bytes too.

python benchmarks/road_scenes.py [frames] [width] [height]
"""

import sys
import time

import cv2

from edgecnn.data.road import RoadScenes

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 92]


def main(frames: int = 300, width: int = 640, height: int = 360) -> None:
    cv2.setNumThreads(1)
    scenes = RoadScenes(1, width, height)
    begin = time.process_time()
    # Textures, trees and vehicles are made on first use.
    for index in range(100):
        scenes.scene(index)
    warm_s = time.process_time() - begin
    drawn_s = packed_s = 0.0
    for index in range(100, 100 + frames):
        begin = time.process_time()
        image = scenes.scene(index).image
        drawn = time.process_time()
        cv2.imencode(".jpg", image, _QUALITY)
        drawn_s += drawn - begin
        packed_s += time.process_time() - begin
    print(f"{width}x{height}, {frames} frames, one core, processor time")
    print(f"  picture and labels        {frames / drawn_s:6.1f} frames/s")
    print(f"  picture, labels and JPEG  {frames / packed_s:6.1f} frames/s")
    print(f"  first 100 frames          {100 / warm_s:6.1f} frames/s, with what is made once a process")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))

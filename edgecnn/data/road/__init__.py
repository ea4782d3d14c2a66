"""Procedural road scenes with exact lane labels."""

from edgecnn.data.road.scene import RoadScenes, Scene

__all__ = ["RoadScenes", "Scene"]

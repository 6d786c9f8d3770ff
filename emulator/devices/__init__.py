"""The physics under the HAL: one device a file, in closed form between events."""

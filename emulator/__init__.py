"""The software pump: a world with virtual time, the physics under the HAL, and the board."""

"""Faces to people: index, neighbour graph, Chinese Whispers, identity."""

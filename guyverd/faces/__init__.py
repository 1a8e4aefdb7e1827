"""Pixels to faces: dlib's detector, aligner and embedder, a quality score, and the workers that run them."""

"""Training of face recognizers: faces are prepared, a network learns, what it learnt is exported.

Nothing of it is loaded by the rest of the package; torch comes with ``facekit[train]``.
"""

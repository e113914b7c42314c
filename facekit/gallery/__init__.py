"""Faces that are kept and searched: one machine's folder today, databases by the same calls.

``records`` says what goes in and out, ``backend`` what every kind of gallery can do,
``store`` is the folder; ``topk`` finds the nearest, ``ranking`` the people behind them.
"""

"""The runtime.

Importing it stops the libraries beneath it from reporting to their makers (:mod:`engine.runtime.telemetry`), and does nothing else.
"""

from engine.runtime.telemetry import silence_libraries

#: False where ``onnxruntime`` was imported before ``engine``: it reports then, and :mod:`engine.runtime.session` says so.
SILENT = silence_libraries()

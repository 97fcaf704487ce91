"""ONNX Runtime sessions, the processor they share, and what they use of the machine."""

"""Networks and ready-made graphs → ONNX graphs that keep the bundle contract."""

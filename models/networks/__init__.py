"""SenseVoice and FSMN-VAD in PyTorch, and the checkpoints they are read from."""

"""The Live tab: speech from the microphone, text while somebody speaks."""

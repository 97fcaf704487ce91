"""The slim page: one WAV file at a time, without Gradio."""

"""The HTTP API beside the page and the named Gradio endpoints."""

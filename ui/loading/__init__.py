"""How the page comes to the browser: few requests, compressed, and something to see before Gradio has drawn anything."""

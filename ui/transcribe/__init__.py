"""The Transcribe tab: its form, its queue and its results."""

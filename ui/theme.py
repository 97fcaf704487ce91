"""The page's appearance: one restrained Gradio theme with system fonts, the style sheet and the small script in the page's head."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

_FOLDER = Path(__file__).parent / "assets"

STYLE_SHEETS = tuple(_FOLDER / f"{name}.css" for name in ("page", "queue", "viewer", "live", "history"))
#: The transcript's viewer: its parts first.
_VIEWER = (
    "recognized_segments",
    "edit_operations",
    "edit_history",
    "virtual_list",
    "segment_view",
    "playback",
    "timeline",
    "end_strip",
    "segment_tools",
    "find_in_text",
    "viewer",
    "viewer_edits",
    "viewer_keys",
)
SCRIPTS = tuple(_FOLDER / f"{name}.js" for name in ("page", "microphone", *_VIEWER, "queue", "live", "history"))
#: Inlined at the head of the HTML, before anything is drawn.
FIRST_SCRIPT, FIRST_STYLE = _FOLDER / "loading.js", _FOLDER / "loading.css"
FAVICON = _FOLDER / "favicon.svg"

#: Deep teal; 700 on white and 400 on the darkest neutral pass WCAG AA for text.
ACCENT = gr.themes.Color(
    name="lightvoice",
    c50="#f0faf8",
    c100="#d3f1eb",
    c200="#a8e2d8",
    c300="#73ccbf",
    c400="#43b0a2",
    c500="#259587",
    c600="#17786d",
    c700="#136158",
    c800="#134e48",
    c900="#12413c",
    c950="#052623",
)

#: A cool grey, a touch green so that it sits with the accent.
NEUTRAL = gr.themes.Color(
    name="lightvoice-grey",
    c50="#f7f9f8",
    c100="#eff2f1",
    c200="#dfe5e3",
    c300="#c5cecb",
    c400="#8f9c98",
    c500="#64726e",
    c600="#4a5754",
    c700="#384340",
    c800="#232c2a",
    c900="#171e1c",
    c950="#0f1413",
)

# System fonts only: the page must not ask any other machine for anything.
FONTS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "sans-serif",
)
MONOSPACE = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Noto Sans Mono", "monospace")


def build_theme() -> gr.themes.Base:
    """The theme in light and dark."""
    theme = gr.themes.Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=NEUTRAL,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_md,
        text_size=gr.themes.sizes.text_md,
        font=FONTS,
        font_mono=MONOSPACE,
    )
    return theme.set(
        body_background_fill="*neutral_100",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_700",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_700",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_border_width_dark="0px",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_title_text_weight="500",
        block_radius="8px",
        button_large_radius="8px",
        block_shadow="none",
        block_shadow_dark="none",
        input_background_fill="white",
        input_background_fill_dark="*neutral_800",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_600",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_400",
        checkbox_border_color="*neutral_400",
        checkbox_border_color_dark="*neutral_500",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_border_color_selected="*primary_700",
        checkbox_border_color_selected_dark="*primary_500",
        button_border_width="1px",
        button_border_width_dark="1px",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        button_large_text_weight="600",
        button_medium_text_weight="500",
        button_small_text_weight="500",
        color_accent="*primary_600",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*primary_950",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        loader_color="*primary_600",
        slider_color="*primary_600",
    )


def head() -> str:
    """What goes into the page's head: the scripts, inline, so that they run before anything is drawn."""
    return "".join(f"<script>\n{script.read_text(encoding='utf-8')}</script>" for script in SCRIPTS)

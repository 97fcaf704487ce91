// What can be done with the selected segment, below its text: split, join, repeat, ends, tags, the speaker's name; and the field of its text.
(() => {
  const { element, sign } = window.lightvoiceParts;
  const FAMILIES = ["language", "emotion", "event"], LONGEST_NAME = 80, LONGEST_TEXT = 20000; // as engine/editing/edits.py

  let pressed = false;
  document.addEventListener("pointerdown", () => { pressed = true; }, true);
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => { pressed = false; }, true);

  /* The tools of a segment; `view` knows tags and texts, `joinable` whether another one follows, `name` the speaker's (null: no speakers). */
  function segmentTools({ segment, number, view, say, joinable, name }) {
    const button = (action, mark, disabled = false) => element("button", { type: "button", "data-action": action, title: say(`${action}_info`), disabled },
      sign(mark), ` ${say(action)}`);
    const tags = FAMILIES.map((family) => {
      const options = Object.keys(view.tags[family]).map((value) => element("option", { value, selected: value === segment[family] }, view.tagName(family, value)));
      return element("label", {}, `${view.families[family]} `, element("select", { "data-tag": family }, ...options));
    });
    const speaker = name === null ? null : element("label", {}, `${say("speaker_name")} `,
      element("input", { type: "text", "data-speaker": "", value: name, maxlength: LONGEST_NAME, title: say("speaker_hint") }));
    return element("div", { class: "lv-segment-tools", role: "group", "aria-label": say("tools", { number }) },
      button("split", "✂"), button("join", "⤓", !joinable), button("start_here", "["), button("end_here", "]"), ...tags, speaker);
  }

  /* The text becomes a field: Enter or leaving it keeps the words, Escape does not, Ctrl+Enter splits at the cursor. `done(text, place or null)`. */
  function textField({ item, text, words, done, left, say }) {
    if (item.querySelector("textarea")) return;
    const field = element("textarea", { class: "lv-text-field", "aria-label": text.dataset.field, maxlength: LONGEST_TEXT, rows: Math.max(2, Math.ceil(words.length / 60)) });
    const hint = element("p", { class: "lv-text-hint lv-muted" }, say("field_hint"));
    field.value = words;
    let over = false;
    const close = (keep, cursor = null) => {
      if (over) return;
      over = true;
      field.remove();
      hint.remove();
      text.hidden = false;
      if (keep && (field.value !== words || cursor !== null)) done(field.value, cursor);
      else left();
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && !event.isComposing) {
        event.preventDefault();
        close(true, event.ctrlKey || event.metaKey ? field.selectionStart : null);
      }
      if (event.key === "Escape") close(false);
    });
    field.addEventListener("blur", () => {
      if (!pressed) close(true);
      else { // the page must not move under a click before it has hit what it was meant for
        document.addEventListener("click", () => close(true), { capture: true, once: true });
        document.addEventListener("pointerup", () => setTimeout(() => close(true)), { capture: true, once: true });
      }
    });
    text.hidden = true;
    text.after(field, hint);
    field.focus();
  }

  Object.assign(window.lightvoiceParts, { segmentTools, textField });
})();

// The viewer's keys, and the one viewer that the page shows. Single letters count only while the focus is in the viewer, for a person who
// dictates or steers by voice must not set them off (WCAG 2.1.4).
(() => {
  const parts = window.lightvoiceParts, SHORT_S = 5, LONG_S = 10;
  const place = (name) => document.getElementById(`lv-${name}`);
  let viewer = null, notice = ""; // what is to be said of the transcript once it is shown anew

  const visible = () => viewer && viewer.section.isConnected && viewer.section.offsetParent !== null;
  const types = (target) => target.matches("textarea, select, input:not([type=checkbox]), [contenteditable=true]");

  function speed(by) {
    const choice = place("speed");
    choice.selectedIndex = Math.min(choice.options.length - 1, Math.max(0, choice.selectedIndex + by));
    choice.dispatchEvent(new Event("change"));
  }

  function toggle(name) {
    const box = place(name);
    box.checked = !box.checked;
    box.dispatchEvent(new Event("change"));
  }

  const select = (by) => viewer.select(Math.min(viewer.segments.length - 1, Math.max(0, viewer.selected + by)), { focus: true });
  const KEYS = {
    " ": () => viewer.playback.toggle(),
    k: () => viewer.playback.toggle(),
    j: () => viewer.playback.step(-LONG_S),
    l: () => viewer.playback.step(LONG_S),
    ArrowLeft: () => viewer.playback.step(-SHORT_S),
    ArrowRight: () => viewer.playback.step(SHORT_S),
    ArrowUp: () => select(-1),
    ArrowDown: () => select(1),
    Enter: () => viewer.selected >= 0 && viewer.edit(viewer.selected),
    s: () => viewer.split(),
    m: () => viewer.join(),
    r: () => toggle("loop"),
    "[": () => viewer.move("start", viewer.playback.ms),
    "]": () => viewer.move("end", viewer.playback.ms),
    "<": () => speed(-1),
    ">": () => speed(1),
  };
  const WHILE_PLAYING = new Set([" ", "k", "j", "l"]);

  /* Ctrl+F finds in the text; pressed in the field itself it is the browser's own. Ctrl+Z and Ctrl+Y undo and redo, but for what is typed. */
  function withControl(event, key) {
    if (key === "f" && event.target !== place("find")) {
      place("find").focus();
      place("find").select();
      return true;
    }
    if (types(event.target)) return false;
    if (key === "z") return event.shiftKey ? viewer.history.redo() : viewer.history.undo();
    return key === "y" && viewer.history.redo();
  }

  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (!visible() || event.defaultPrevented || event.isComposing || !target.closest) return;
    const inside = viewer.section.contains(target), nowhere = target === document.body;
    if (!inside && !nowhere) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (!event.altKey && withControl(event, key)) event.preventDefault();
      return;
    }
    if (event.altKey || types(target) || !KEYS[key] || (nowhere && !(viewer.playback.playing && WHILE_PLAYING.has(key)))) return;
    const own = target.matches("button, summary, input") ? [" ", "Enter"] : target.matches("audio") ? [" ", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"] : [];
    if (own.includes(key) || (key === "Enter" && !target.matches(".lv-segment"))) return;
    event.preventDefault();
    KEYS[key]();
  });

  /* Show the transcript whose frame stands in the page; `columns` are its recognized segments. */
  function open(section, columns) {
    close();
    const recognized = parts.recognizedSegments(columns);
    viewer = new parts.Viewer(section, { ...JSON.parse(section.dataset.state), recognized });
    if (notice) viewer.tell(notice, { lasting: true });
    notice = "";
  }

  function again(kind) {
    notice = kind;
    window.lightvoiceQueue.again();
  }

  function close() {
    viewer?.close();
    viewer = null;
  }

  window.lightvoiceViewer = {
    open,
    close,
    again,
    mark: (percent) => parts.markUnsure(percent, viewer),
    text: () => (viewer?.segments ?? []).map((segment) => segment.text).filter(Boolean).join("\n"),
    settled: async () => viewer?.history.settled(),
  };
})();

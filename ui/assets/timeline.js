// The whole recording on one line: its waveform is drawn by the server, its segments here, as they are after every change; a click or a key seeks.
(() => {
  const COLUMNS = 1000, HEIGHT = 100, KEY_MS = 5000; // as ui/widgets/timeline.py

  /* The time at a place of an element that shows `from` to `to`. */
  function timeAt(box, x, from, to) {
    const { left, width } = box.getBoundingClientRect();
    return from + Math.min(1, Math.max(0, (x - left) / Math.max(1, width))) * (to - from);
  }

  /* One path for all boxes, those that lie upon each other as one: hours have thousands of segments, which would be as many elements. */
  function boxes(segments, from, to, columns, height, least = 1) {
    const scale = columns / (to - from), drawn = [];
    for (const { start, end } of segments) { // in the order of their starts
      const left = (start - from) * scale, right = Math.max(left + least, (end - from) * scale), last = drawn.at(-1);
      if (last && left <= last[1]) last[1] = Math.max(last[1], right);
      else drawn.push([left, right]);
    }
    return drawn.map(([left, right]) => {
      const width = (right - left).toFixed(1);
      return `M${left.toFixed(1)},0h${width}v${height}h-${width}z`;
    }).join("");
  }

  class Timeline {
    constructor({ place, duration, seek, title, say, clock }) {
      const box = place.querySelector(".lv-wave-box");
      Object.assign(this, { box, duration, clock, second: -1, path: place.querySelector(".lv-wave-segment") });
      if (!box) return;
      this.cursor = document.createElement("div");
      this.cursor.className = "lv-cursor";
      box.append(this.cursor);
      box.tabIndex = 0;
      for (const [name, value] of Object.entries({ role: "slider", "aria-label": say("position"), "aria-valuemin": 0, "aria-valuemax": Math.round(duration / 1000) })) box.setAttribute(name, value);
      const at = (event) => timeAt(box, event.clientX, 0, duration);
      box.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        box.setPointerCapture(event.pointerId);
        seek(at(event));
      });
      box.addEventListener("pointermove", (event) => {
        if (box.hasPointerCapture(event.pointerId)) seek(at(event));
        else box.title = title(at(event));
      });
      box.addEventListener("keydown", (event) => {
        const to = { Home: 0, End: duration }[event.key], by = { ArrowLeft: -KEY_MS, ArrowDown: -KEY_MS, ArrowRight: KEY_MS, ArrowUp: KEY_MS, PageDown: -6 * KEY_MS, PageUp: 6 * KEY_MS }[event.key];
        if (to === undefined && by === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        seek(to ?? Math.min(duration, Math.max(0, this.ms + by)));
      });
      this.at(0);
    }

    draw(segments) { this.path?.setAttribute("d", boxes(segments, 0, this.duration, COLUMNS, HEIGHT)); }

    at(ms) {
      this.ms = ms;
      if (!this.cursor) return;
      this.cursor.style.left = `${Math.min(100, ms / this.duration * 100)}%`;
      const second = Math.floor(ms / 1000); // a screen reader has enough with one a second
      if (second === this.second) return;
      this.second = second;
      this.box.setAttribute("aria-valuenow", second);
      this.box.setAttribute("aria-valuetext", this.clock(ms));
    }
  }

  Object.assign((window.lightvoiceParts ??= {}), { Timeline, timeAt, timelineBoxes: boxes });
})();

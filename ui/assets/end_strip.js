// The selected segment and what is around it, large enough to move its ends: by dragging them, or with the arrow keys on them.
(() => {
  const { timeAt, timelineBoxes, element } = window.lightvoiceParts;
  const COLUMNS = 600, HEIGHT = 60, AROUND_MS = 1500, LONGEST_MS = 120000, KEY_MS = 20, LARGE_KEY_MS = 200, LOUDEST = 255; // as ui/transcribe/playback_copy.py
  const ENDS = ["start", "end"];
  const svg = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    return made;
  };

  class EndStrip {
    /* `move(end, ms)` changes the segment; `room()` -> how far its ends may go; `seek(ms)` for a click elsewhere. */
    constructor({ place, duration, address, move, room, seek, say, clock }) {
      Object.assign(this, { place, duration, address, move, room, seek, say, clock, window: null, segment: null });
      this.others = svg("path", { class: "lv-strip-others" });
      this.mine = svg("path", { class: "lv-wave-segment" });
      this.wave = svg("path", { class: "lv-wave-shape" });
      this.cursor = element("div", { class: "lv-cursor" });
      const drawing = svg("svg", { class: "lv-wave", viewBox: `0 0 ${COLUMNS} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
      drawing.append(this.others, this.mine, this.wave);
      this.handles = Object.fromEntries(ENDS.map((end) => [end, this.handle(end)]));
      this.box = element("div", { class: "lv-strip-box" }, drawing, this.cursor, ...Object.values(this.handles));
      this.box.addEventListener("pointerdown", (event) => {
        if (!event.target.closest(".lv-handle") && !event.button) seek(this.time(event));
      });
      place.replaceChildren(this.box);
    }

    time(event) { return timeAt(this.box, event.clientX, this.window.from, this.window.to); }

    handle(end) {
      const made = element("div", { class: `lv-handle lv-handle-${end}`, role: "slider", tabindex: "0", "aria-label": this.say(`${end}_handle`), title: this.say("handle_hint") });
      made.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        event.preventDefault();
        made.focus({ preventScroll: true });
        made.setPointerCapture(event.pointerId);
        this.dragged = null;
      });
      made.addEventListener("pointermove", (event) => {
        if (!made.hasPointerCapture(event.pointerId)) return;
        const { least, most } = this.room();
        this.dragged = Math.min(most, Math.max(least, this.time(event)));
        this.drawEnds({ ...this.segment, [end]: this.dragged });
      });
      made.addEventListener("lostpointercapture", (event) => {
        const to = this.dragged;
        this.dragged = null;
        if (to === null || to === undefined) return;
        if (event.type !== "pointercancel") this.move(end, to);
        this.drawEnds(this.segment);
      });
      made.addEventListener("keydown", (event) => {
        const step = event.shiftKey ? LARGE_KEY_MS : KEY_MS, by = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step }[event.key];
        if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        event.stopPropagation();
        this.move(end, this.segment[end] + by);
      });
      return made;
    }

    hide() {
      this.place.hidden = true;
      this.segment = this.window = null;
    }

    /* Show a segment; the stretch around it stays as long as the segment lies well within it. */
    show(segment, segments) {
      this.segment = segment;
      this.place.hidden = false;
      const { window: now } = this, inside = now && segment.start >= now.from && segment.end <= now.to && (segment.end - segment.start) * 6 > now.to - now.from;
      if (!inside) {
        const around = Math.max(AROUND_MS, (segment.end - segment.start) / 2), from = Math.max(0, Math.floor(segment.start - around));
        this.window = { from, to: Math.min(this.duration, Math.ceil(segment.end + around), from + LONGEST_MS) };
        this.wave.setAttribute("d", "");
        this.load();
      }
      const { from, to } = this.window;
      this.others.setAttribute("d", timelineBoxes(segments.filter((one) => one !== segment && one.end > from && one.start < to), from, to, COLUMNS, HEIGHT));
      this.drawEnds(segment);
    }

    drawEnds(segment) {
      const { from, to } = this.window;
      this.mine.setAttribute("d", timelineBoxes([segment], from, to, COLUMNS, HEIGHT));
      for (const end of ENDS) {
        const handle = this.handles[end];
        handle.style.left = `${(segment[end] - from) / (to - from) * 100}%`;
        handle.hidden = segment[end] > to;
        handle.setAttribute("aria-valuenow", Math.round(segment[end]));
        handle.setAttribute("aria-valuemin", Math.round(from));
        handle.setAttribute("aria-valuemax", Math.round(to));
        handle.setAttribute("aria-valuetext", `${this.clock(segment[end])} (${Math.round(segment[end])} ms)`);
      }
    }

    at(ms) {
      if (!this.window) return;
      const { from, to } = this.window;
      this.cursor.hidden = ms < from || ms > to;
      this.cursor.style.left = `${(ms - from) / (to - from) * 100}%`;
    }

    async load() {
      const wanted = this.window;
      let peaks = [];
      try {
        const answer = await fetch(`${this.address}/peaks?start_ms=${wanted.from}&end_ms=${wanted.to}`, { cache: "no-store" });
        if (answer.ok) peaks = await answer.json();
      } catch { /* no connection: the ends can be moved without the waveform */ }
      if (this.window !== wanted || !peaks.length) return;
      const loudest = Math.max(...peaks, LOUDEST / 20), middle = HEIGHT / 2;
      const heights = peaks.map((peak) => (peak / loudest) * (middle - 3));
      const upper = heights.map((height, x) => `${x},${(middle - height).toFixed(1)}`), lower = heights.map((height, x) => `${x},${(middle + height).toFixed(1)}`).reverse();
      this.wave.setAttribute("d", `M${upper.join(" ")} ${lower.join(" ")}Z`);
    }
  }

  window.lightvoiceParts.EndStrip = EndStrip;
})();

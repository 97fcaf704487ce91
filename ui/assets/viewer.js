// The transcript of one recording: puts list, table, player, timeline, search and edits together, and carries out what is clicked.
// The data comes from ui/transcribe/viewer_data.py; the frame around it from ui/transcribe/templates/result.html.
(() => {
  const parts = window.lightvoiceParts, { clock } = parts;
  const LIT_EARLIER_MS = 20, LINE_CHARACTERS = 48, LINE_PX = 27, HEAD_PX = 66, ROW_PX = 34, GAP_PX = 10, TIP_PX = 240;
  const place = (name) => document.getElementById(`lv-${name}`);
  let unsureBelow = 50;

  class Viewer {
    constructor(section, data) {
      const words = JSON.parse(section.dataset.words), address = section.dataset.address;
      Object.assign(this, { section, texts: words.texts, duration: Math.max(1, data.duration_ms), selected: -1, lit: new Set(), chosen: null });
      this.say = (name, values = {}) => this.texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
      this.operations = new parts.EditOperations(data.recognized);
      this.history = new parts.EditHistory({
        operations: this.operations, data, address, changed: (before) => this.changed(before), tell: (kind) => this.told(kind),
      });
      this.view = new parts.SegmentView({
        operations: this.operations, words, say: this.say, unsureBelow: () => unsureBelow, speaker: (segment) => this.speaker(segment),
      });
      this.playback = new parts.Playback({
        player: place("player"), moved: (ms) => this.at(ms), state: () => this.drawState(), lost: () => this.tell("sound_gone", { lasting: true }),
      });
      this.playback.loop = () => (place("loop").checked ? this.segments[this.selected] : null);
      const seek = (ms) => this.seek(ms), title = (ms) => `${clock(ms)} ${this.segments[this.placeAt(ms)]?.text.slice(0, 200) ?? ""}`;
      this.timeline = new parts.Timeline({ place: place("timeline"), duration: this.duration, seek, title, say: this.say, clock });
      this.strip = new parts.EndStrip({
        place: place("strip"), duration: this.duration, address, seek, say: this.say, clock, move: (end, ms) => this.move(end, ms),
        room: () => this.operations.room(this.segments, this.selected, this.duration),
      });
      if (place("list")) this.lay();
      this.finder = new parts.FindInText({
        field: place("find"), count: place("find-count"), next: place("find-next"), previous: place("find-previous"), say: this.say,
        segments: () => this.segments, from: () => this.list?.placeAt(place("list-box").scrollTop) ?? 0, show: (at) => this.show(at, { centred: true }), text: (at) => this.list?.element(at)?.querySelector(".lv-text > span"),
      });
      this.wire();
      this.fit();
      this.changed(null);
    }

    /* How much of the window the bars above take: the stage sticks below one, and the list ends where the window ends. */
    fit() {
      const bar = document.getElementById("lv-light-bar"), stage = place("stage"), box = place("list-box");
      const put = (element, name, px) => { if (element && element.style.getPropertyValue(name) !== px) element.style.setProperty(name, px); };
      const measure = () => {
        const sticks = bar && getComputedStyle(bar).position === "sticky", bars = `${sticks ? bar.offsetHeight : 0}px`, stages = `${stage.offsetHeight}px`;
        for (const one of [stage, box]) put(one, "--lv-bar-height", bars);
        put(box, "--lv-stage-height", stages);
      };
      measure(); // at once, or the list would be laid out twice
      this.sized = new ResizeObserver(measure);
      for (const one of [bar, stage]) if (one) this.sized.observe(one);
    }

    get segments() { return this.history.segments; }

    lay() {
      const guess = (segment) => HEAD_PX + LINE_PX * Math.max(1, Math.ceil(segment.text.length / LINE_CHARACTERS));
      this.list = new parts.VirtualList({ box: place("list-box"), padded: place("list"), list: place("list"), guess, gap: GAP_PX, draw: (segment, at) => this.item(segment, at) });
      this.table = new parts.VirtualList({ box: place("table-box"), padded: place("table-pad"), list: place("table-rows"), guess: () => ROW_PX, draw: (segment, at) => this.view.row(segment, at), wakeful: false });
    }

    item(segment, at) {
      const item = this.view.item(segment, at, this.segments.length);
      item.words = [...item.querySelectorAll(".lv-word")];
      if (at === this.selected) this.dress(item, at);
      if (this.lit.has(at)) this.light(item, true);
      return item;
    }

    /* Events of the frame; those of segments come by their data-action attributes. */
    wire() {
      this.section.addEventListener("click", (event) => {
        const target = event.target.closest("[data-action]"), item = event.target.closest(".lv-segment");
        if (item) this.select(Number(item.dataset.index));
        if (target) this.act(target.dataset.action, target, event.target);
        else if (event.target.closest("tr[data-index]")) this.seek(Number(event.target.closest("tr").dataset.start));
      });
      this.section.addEventListener("change", (event) => {
        const { tag, speaker } = event.target.dataset;
        if (tag) this.history.apply({ segments: this.operations.retag(this.segments, this.selected, tag, event.target.value) });
        if (speaker !== undefined) this.rename(event.target.value);
      });
      place("speed").addEventListener("change", (event) => this.playback.speed(Number(event.target.value)));
      place("undo").addEventListener("click", () => this.history.undo());
      place("redo").addEventListener("click", () => this.history.redo());
      const read = () => { if (this.playback.playing) place("follow").checked = false; }; // who scrolls reads elsewhere
      for (const name of ["wheel", "touchmove"]) place("list-box")?.addEventListener(name, read, { passive: true });
      place("list-box")?.addEventListener("scroll", () => requestAnimationFrame(() => this.finder.mark()), { passive: true });
      for (const name of ["pointerover", "focusin"]) place("list-box")?.addEventListener(name, (event) => this.turnTip(event.target.closest(".lv-tags")));
      place("follow").addEventListener("change", () => this.follow());
    }

    /* The probabilities of tags open upwards where the list ends below them. */
    turnTip(tags) {
      if (tags) tags.classList.toggle("lv-tip-up", tags.getBoundingClientRect().bottom + TIP_PX > place("list-box").getBoundingClientRect().bottom);
    }

    act(action, target, from) {
      const at = Number(target.closest("[data-index]")?.dataset.index ?? this.selected), segment = this.segments[at], item = this.list?.element(at);
      if (action === "play") this.play(at, target, from);
      else if (action === "seek") this.seek(segment.start);
      else if (action === "edit") this.edit(at);
      else if (action === "restore") this.change(this.operations.restored(this.segments, at));
      else if (action === "take") this.take(at, [...item.querySelectorAll('[data-action="take"]')].indexOf(target));
      else if (action === "split") this.split();
      else if (action === "join") this.join();
      else if (action === "start_here") this.move("start", this.playback.ms);
      else if (action === "end_here") this.move("end", this.playback.ms);
    }

    /* ▶ pauses what plays, goes on where it was paused, else plays from the start; a word plays from itself, and is where a split cuts. */
    play(at, target, from) {
      const segment = this.segments[at], ms = this.playback.ms, within = ms > segment.start && ms < segment.end;
      const text = target.closest(".lv-text"), word = from.closest(".lv-word");
      if (text) {
        const readings = target.closest(".lv-segment").querySelector(".lv-readings");
        if (readings) readings.open = true;
        if (window.getSelection().toString()) return;
        this.choose(at, word);
        this.playback.play(word ? Number(word.dataset.start) : segment.start);
      } else if (within && this.playback.playing) this.playback.toggle();
      else this.playback.play(within ? null : segment.start);
    }

    choose(at, word) {
      this.section.querySelector(".lv-word-chosen")?.classList.remove("lv-word-chosen");
      word?.classList.add("lv-word-chosen");
      this.chosen = word ? { segment: this.segments[at], word: this.list.element(at).words.indexOf(word) } : null;
    }

    /* The selected segment has its tools below its text, and its ends in the strip below the timeline. */
    select(at, { focus = false } = {}) {
      if (!this.list || at < 0 || at >= this.segments.length) return;
      if (at !== this.selected) {
        this.undress();
        this.selected = at;
        const item = this.list.element(at);
        if (item) this.dress(item, at);
        this.list.layOut();
        this.strip.show(this.segments[at], this.segments);
      }
      if (focus) this.show(at)?.focus({ preventScroll: true });
    }

    undress() {
      const item = this.list.element(this.selected);
      item?.classList.remove("lv-selected");
      item?.querySelector(".lv-segment-tools")?.remove();
      if (item) item.tabIndex = -1;
    }

    dress(item, at) {
      const segment = this.segments[at], channel = this.operations.channel(segment);
      item.classList.add("lv-selected");
      item.tabIndex = 0;
      item.append(parts.segmentTools({
        segment, number: at + 1, view: this.view, say: this.say, joinable: this.operations.next(this.segments, at) >= 0,
        name: channel === null ? null : this.speaker(segment),
      }));
    }

    show(at, options) {
      this.list?.show(at, options);
      this.finder?.mark();
      return this.list?.element(at);
    }

    speaker(segment) {
      const channel = this.operations.channel(segment);
      return channel === null ? null : this.history.now.speakers.get(channel) || this.say("speaker", { number: channel });
    }

    /* Where the recording stands: the cursor, the segments that sound, the word that is spoken. */
    at(ms) {
      this.timeline.at(ms);
      this.strip.at(ms);
      const now = new Set(), found = this.placeAt(ms);
      for (let at = found; at >= 0 && at > found - 8; at -= 1) { // several may sound at once: one a channel
        if (ms >= this.segments[at].start - LIT_EARLIER_MS && ms < this.segments[at].end) now.add(at);
      }
      const other = now.size !== this.lit.size || [...now].some((at) => !this.lit.has(at));
      const before = this.lit;
      this.lit = now;
      if (other) new Set([...before, ...now]).forEach((at) => this.light(this.list?.element(at), now.has(at)));
      now.forEach((at) => this.spoken(at, ms));
      if (other && this.playback.playing) this.follow();
    }

    placeAt(ms) {
      let low = -1, high = this.segments.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.segments[middle].start - LIT_EARLIER_MS <= ms) low = middle;
        else high = middle - 1;
      }
      return low;
    }

    light(item, on) {
      if (!item) return;
      item.classList.toggle("lv-playing", on);
      if (!on) item.querySelector(".lv-spoken")?.classList.remove("lv-spoken");
      const button = item.querySelector(".lv-play"), pauses = on && this.playback.playing, number = Number(item.dataset.index) + 1;
      if (on) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      button.firstChild.textContent = pauses ? "❚❚" : "▶";
      button.setAttribute("aria-label", this.say(pauses ? "pause" : "play", { number, time: clock(Number(item.dataset.start)) }));
    }

    drawState() { this.lit.forEach((at) => this.light(this.list?.element(at), true)); }

    spoken(at, ms) {
      const item = this.list?.element(at), words = this.operations.words(this.segments[at]);
      if (!item) return;
      const found = words.findLastIndex((word) => word[2] <= ms + LIT_EARLIER_MS), word = item.words[found];
      if (word?.classList.contains("lv-spoken")) return;
      item.querySelector(".lv-spoken")?.classList.remove("lv-spoken");
      word?.classList.add("lv-spoken");
    }

    follow() {
      const at = Math.max(-1, ...this.lit);
      if (at >= 0 && place("follow").checked && !this.section.querySelector("textarea")) this.show(at);
    }

    seek(ms) {
      this.playback.seek(ms);
      const at = this.placeAt(ms);
      this.select(Math.max(0, at));
      this.show(Math.max(0, at));
    }

    close() {
      this.playback.close();
      this.sized.disconnect();
      for (const list of [this.list, this.table]) list?.close();
      this.closed = true;
    }
  }

  const mark = (percent, viewer) => {
    unsureBelow = Number(percent);
    viewer?.section.querySelectorAll(".lv-word[data-confidence]").forEach((word) => word.classList.toggle("lv-unsure", Number(word.dataset.confidence) * 100 < unsureBelow));
  };

  Object.assign(parts, { Viewer, markUnsure: mark });
})();

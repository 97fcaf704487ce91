// The viewer's changes: what split, join, moved ends, words, tags and names do to the transcript, and what is said and drawn after them.
(() => {
  const parts = window.lightvoiceParts, SAID_MS = 4000;
  const place = (name) => document.getElementById(`lv-${name}`);

  Object.assign(parts.Viewer.prototype, {
    change(segments, said = null) {
      const changed = Boolean(segments) && this.history.apply({ segments });
      if (changed && said) this.tell(said, { number: this.selected + 1 });
      return changed;
    },

    edit(at) {
      const segment = this.segments[at], item = this.list.element(at);
      const left = () => this.list.element(at)?.querySelector('[data-action="edit"]')?.focus();
      const done = (text, cursor) => {
        const now = this.segments.indexOf(segment);
        if (now < 0) return;
        let segments = this.operations.retext(this.segments, now, text);
        if (cursor !== null) {
          const offset = text.slice(0, cursor).replace(/\s+/gu, " ").trimStart().length;
          segments = this.operations.split(segments, now, this.operations.wordFrom(segments[now], offset));
          if (!segments) this.tell("split_where");
        }
        this.change(segments ?? this.operations.retext(this.segments, now, text), segments && cursor !== null ? "did_split" : null);
        left();
      };
      parts.textField({ item, text: item.querySelector(".lv-text"), words: segment.text, done, left, say: this.say });
    },

    /* Another reading becomes the text, and may be put back as any edit. */
    take(at, number) {
      const segment = this.segments[at];
      this.change(this.operations.retext(this.segments, at, this.operations.source(segment).readings[number][0]));
      const readings = this.list.element(at).querySelector(".lv-readings");
      readings.open = true;
      readings.querySelectorAll('[data-action="take"]')[number].focus();
    },

    /* Before the word that was clicked last, else before the one that is spoken. */
    split() {
      const segment = this.segments[this.selected], ms = this.playback.ms;
      if (!segment) return;
      const clicked = this.chosen?.segment === segment ? this.chosen.word : 0;
      const word = clicked > 0 ? clicked : ms > segment.start && ms < segment.end ? this.operations.wordAt(segment, ms) : 0;
      if (!this.change(this.operations.split(this.segments, this.selected, word), "did_split")) this.tell("split_where");
    },

    join() {
      if (this.segments[this.selected] && !this.change(this.operations.join(this.segments, this.selected), "did_join")) this.tell("join_none");
    },

    move(end, ms) {
      if (this.segments[this.selected]) this.change(this.operations.moved(this.segments, this.selected, end, ms, this.duration));
    },

    rename(name) {
      const speakers = new Map(this.history.now.speakers), channel = this.operations.channel(this.segments[this.selected]);
      const written = name.replace(/\s+/gu, " ").trim();
      if (!written || written === this.say("speaker", { number: channel })) speakers.delete(channel);
      else speakers.set(channel, written);
      this.history.apply({ speakers });
    },

    /* After every change, undo and redo. */
    changed(before) {
      if (!this.history) return; // it is being made
      const { now, past, future } = this.history;
      this.lit = new Set();
      this.selected = Math.min(this.selected, now.segments.length - 1);
      this.chosen = null;
      this.list?.set(now.segments);
      this.table?.set(now.segments);
      if (before && before.speakers !== now.speakers) [this.list, this.table].forEach((list) => list?.redraw());
      else this.renumber();
      const count = place("table-count");
      if (count) count.textContent = now.segments.length;
      this.timeline.draw(now.segments);
      if (this.selected >= 0) this.strip.show(now.segments[this.selected], now.segments);
      place("undo").disabled = !past.length;
      place("redo").disabled = !future.length;
      this.finder.search({ stay: true });
      this.at(this.playback.ms);
    },

    /* Segments that are drawn already may have others behind them now: join is offered where there is a next one. */
    renumber() {
      this.list?.drawn.forEach(({ element }) => element.setAttribute("aria-setsize", this.segments.length));
      const button = this.list?.element(this.selected)?.querySelector('[data-action="join"]');
      if (button) button.disabled = this.operations.next(this.segments, this.selected) < 0;
    },

    /* What became of the last change; that it is not saved stays in sight until it is. */
    told(kind) {
      if (this.closed || (kind === "saved" && !this.unsaved)) return;
      this.unsaved = kind === "unsaved";
      if (kind === "replaced") window.lightvoiceViewer.again(kind);
      else this.tell(kind, { lasting: kind !== "saved" });
    },

    tell(name, values = {}) {
      if (this.unsaved && !values.lasting) return;
      const line = place("viewer-said");
      line.dataset.kind = name;
      line.textContent = this.say(name, values);
      clearTimeout(this.saidTimer);
      if (!values.lasting) this.saidTimer = setTimeout(() => { line.textContent = ""; }, SAID_MS);
    },
  });
})();

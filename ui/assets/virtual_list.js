// A long list of which only what is in view is in the page: hours of speech have thousands of segments, a window shows a dozen.
// Heights are guessed until an item was drawn once; above and below, padding stands for what is left out.
(() => {
  const AROUND_PX = 400;
  const OUT_OF_VIEW = "lv-out-of-view";
  const behind = (element) => {
    let next = element.nextSibling;
    while (next?.classList?.contains(OUT_OF_VIEW)) next = next.nextSibling;
    return next;
  };

  class VirtualList {
    /* `box` scrolls, `padded` gets the padding, `list` holds the items; `guess(item)` and `gap` in px; `draw(item, place)` -> its element.
       One that is not `wakeful` draws nothing until its box comes near the window. */
    constructor({ box, padded, list, draw, guess, gap = 0, wakeful = true }) {
      Object.assign(this, { box, padded, list, draw, guess, gap, items: [], drawn: new Map(), heights: new WeakMap(), offsets: [0] });
      this.onScroll = () => this.layOut();
      box.addEventListener("scroll", this.onScroll, { passive: true });
      this.sleeps = !wakeful;
      this.size = wakeful ? [box.clientWidth, box.clientHeight] : null;
      this.resized = new ResizeObserver(() => {
        const [width, height] = this.size ?? [];
        if (box.clientWidth === width && box.clientHeight === height) return;
        if (box.clientWidth !== width) this.heights = new WeakMap(); // lines break elsewhere
        this.size = [box.clientWidth, box.clientHeight];
        this.layOut();
      });
      this.resized.observe(box);
      this.near = new IntersectionObserver((entries) => { if (entries.at(-1).isIntersecting) this.wake(); }, { rootMargin: `${AROUND_PX}px` });
      if (this.sleeps) this.near.observe(box);
    }

    wake() {
      this.near.disconnect();
      this.sleeps = false;
      this.layOut();
    }

    close() {
      this.resized.disconnect();
      this.near.disconnect();
      this.box.removeEventListener("scroll", this.onScroll);
    }

    set(items) {
      const focused = this.focusedPlace(), action = document.activeElement?.dataset?.action;
      this.items = items;
      this.layOut();
      if (focused >= 0 && this.focusedPlace() < 0) this.focus(Math.min(focused, items.length - 1), action);
    }

    /* Draw again what is in view: something beside the items has changed. */
    redraw() {
      const focused = this.focusedPlace(), action = document.activeElement?.dataset?.action;
      this.drawn.forEach(({ element }) => element.remove());
      this.drawn.clear();
      this.layOut();
      if (focused >= 0) this.focus(focused, action);
    }

    focus(place, action) {
      const element = this.drawn.get(place)?.element;
      (action && element?.querySelector(`[data-action="${action}"]`) || element)?.focus({ preventScroll: true });
    }

    focusedPlace() {
      for (const [place, { element }] of this.drawn) if (element.contains(document.activeElement)) return place;
      return -1;
    }

    element(place) { return this.drawn.get(place)?.element ?? null; }
    height(item) { return this.heights.get(item) ?? this.guess(item); }

    measureOffsets() {
      this.offsets = new Array(this.items.length + 1);
      this.offsets[0] = 0;
      for (let place = 0; place < this.items.length; place += 1) this.offsets[place + 1] = this.offsets[place] + this.height(this.items[place]) + this.gap;
    }

    placeAt(px) {
      let low = 0, high = this.items.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.offsets[middle] <= px) low = middle;
        else high = middle - 1;
      }
      return Math.max(0, low);
    }

    layOut() {
      this.measureOffsets();
      if (this.sleeps || !this.drawn.size) this.pad(0, -1); // the box has its height before anything is drawn in it
      if (this.sleeps) return;
      for (let round = 0; round < 4; round += 1) if (!this.layOutOnce()) break; // heights that were guessed wrong move what follows
    }

    layOutOnce() {
      const top = this.box.scrollTop, anchor = this.placeAt(top), before = this.offsets[anchor];
      const first = this.placeAt(top - AROUND_PX), last = Math.min(this.items.length - 1, this.placeAt(top + this.box.clientHeight + AROUND_PX));
      this.put(first, last);
      let wrong = false;
      this.drawn.forEach(({ item, element }) => {
        const height = element.offsetHeight;
        if (height && Math.abs(height - this.height(item)) > 0.5) wrong = true;
        if (height) this.heights.set(item, height);
      });
      if (wrong) {
        this.measureOffsets();
        this.pad(first, last);
        const moved = this.offsets[anchor] - before;
        if (moved) this.box.scrollTop = top + moved;
      }
      return wrong;
    }

    put(first, last) {
      const focused = this.focusedPlace();
      for (const [place, { item, element }] of this.drawn) {
        if (this.items[place] === item && (place === focused || (place >= first && place <= last))) continue;
        element.remove();
        this.drawn.delete(place);
      }
      let following = null;
      for (let place = last; place >= first && place < this.items.length; place -= 1) {
        let entry = this.drawn.get(place);
        if (!entry) {
          entry = { item: this.items[place], element: this.draw(this.items[place], place) };
          this.drawn.set(place, entry);
        }
        entry.element.classList.remove(OUT_OF_VIEW);
        if (!entry.element.isConnected || behind(entry.element) !== following) this.list.insertBefore(entry.element, following);
        following = entry.element;
      }
      // What has the focus keeps it, wherever it is scrolled to.
      if (focused >= 0 && (focused < first || focused > last)) this.drawn.get(focused)?.element.classList.add(OUT_OF_VIEW);
      this.pad(first, last);
    }

    pad(first, last) {
      const total = this.offsets[this.items.length];
      this.padded.style.paddingTop = `${this.offsets[first] ?? 0}px`;
      this.padded.style.paddingBottom = `${Math.max(0, total - (this.offsets[last + 1] ?? total))}px`;
    }

    /* Bring an item into view: not at all where it is there already, unless `centred`. */
    show(place, { centred = false } = {}) {
      if (place < 0 || place >= this.items.length) return;
      for (let round = 0; round < 3; round += 1) { // the heights on the way are guesses
        this.measureOffsets();
        const top = this.offsets[place], bottom = this.offsets[place + 1], height = this.box.clientHeight;
        if (!centred && top >= this.box.scrollTop && bottom <= this.box.scrollTop + height) break;
        const wanted = Math.max(0, bottom - top > height ? top : (top + bottom - height) / 2);
        if (Math.abs(this.box.scrollTop - wanted) < 1) break;
        this.box.scrollTop = wanted;
        this.layOut();
      }
    }
  }

  (window.lightvoiceParts ??= {}).VirtualList = VirtualList;
})();

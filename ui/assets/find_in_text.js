// Finding words in a transcript: where they are, how many there are, and the next one. Only segments in view are in the page, so that the
// browser's own search would miss the others: this one stands in for it.
(() => {
  const MARK = "lv-find", CURRENT = "lv-find-current", MOST_MATCHES = 5000;
  /* Letters alike, large or small, as long as that leaves every character in its place. */
  const folded = (text) => [...text].map((one) => { const small = one.toLowerCase(); return small.length === one.length ? small : one; }).join("");

  class FindInText {
    /* `segments()` -> all; `from()` -> the first one in view; `show(place)` brings one there; `text(place)` -> the element of its text if
       it is in the page. */
    constructor({ field, count, next, previous, segments, from, show, text, say }) {
      Object.assign(this, { field, count, segments, from, show, text, say, matches: [], at: -1, began: null });
      field.addEventListener("input", () => this.search());
      field.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.isComposing) {
          event.preventDefault();
          this.step(event.shiftKey ? -1 : 1);
        }
        if (event.key === "Escape") {
          field.value = "";
          this.search();
        }
      });
      next.addEventListener("click", () => this.step(1));
      previous.addEventListener("click", () => this.step(-1));
    }

    search({ stay = false } = {}) {
      const wanted = folded(this.field.value.trim()), found = [];
      if (wanted) {
        this.segments().forEach((segment, place) => {
          const text = folded(segment.text);
          for (let at = text.indexOf(wanted); at >= 0 && found.length < MOST_MATCHES; at = text.indexOf(wanted, at + wanted.length)) {
            found.push({ place, first: at, last: at + wanted.length });
          }
        });
      }
      this.began = wanted ? this.began ?? this.from() : null; // where the person was reading when the search began
      const first = stay ? this.at : found.findIndex((match) => match.place >= this.began);
      this.matches = found;
      this.at = found.length ? Math.min(Math.max(0, first), found.length - 1) : -1;
      if (!stay && this.at >= 0) this.show(this.matches[this.at].place);
      this.tell();
    }

    step(by) {
      if (!this.matches.length) return;
      this.at = (this.at + by + this.matches.length) % this.matches.length;
      this.show(this.matches[this.at].place);
      this.tell();
    }

    tell() {
      const { at, matches } = this;
      this.count.textContent = !this.field.value.trim() ? "" : matches.length ? this.say("find_count", { number: at + 1, count: matches.length }) : this.say("find_none");
      this.mark();
    }

    /* Matches in view are lit by the browser itself: the page's elements stay as they are. */
    mark() {
      if (!window.CSS?.highlights) return;
      const ranges = [], current = [];
      this.matches.forEach((match, number) => {
        const range = this.range(match);
        if (range) (number === this.at ? current : ranges).push(range);
      });
      CSS.highlights.set(MARK, new Highlight(...ranges));
      CSS.highlights.set(CURRENT, new Highlight(...current));
    }

    range({ place, first, last }) {
      const text = this.text(place);
      if (!text) return null;
      const range = document.createRange(), walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      let passed = 0, begun = false;
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (!begun && first < passed + node.length) {
          range.setStart(node, first - passed);
          begun = true;
        }
        if (begun && last <= passed + node.length) {
          range.setEnd(node, last - passed);
          return range;
        }
        passed += node.length;
      }
      return null;
    }
  }

  (window.lightvoiceParts ??= {}).FindInText = FindInText;
})();

// A segment as it stands in the list and in the table. Texts are set as text, never as HTML: they come from recordings and from people.
(() => {
  const FAMILIES = ["language", "emotion", "event"], MOST_TITLE = 400;

  /* A moment as ui/text/quantities.py writes it: 61250 -> 1:01.2 */
  function clock(ms) {
    const tenths = Math.floor(ms / 100), seconds = Math.floor(tenths / 10), minutes = Math.floor(seconds / 60), two = (number) => String(number).padStart(2, "0");
    const rest = `${two(seconds % 60)}.${tenths % 10}`;
    return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
  }
  const percent = (share) => (share > 0 && share < 0.005 ? "<1 %" : share >= 0.995 && share < 1 ? `${Math.min(share * 100, 99.9).toFixed(1)} %` : `${(share * 100).toFixed(0)} %`);

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "class") made.className = value;
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }
  const sign = (text) => element("span", { "aria-hidden": "true" }, text);

  class SegmentView {
    /* `words` is what the page says (data-words); `say(name, values)` fills a text; `unsureBelow()` in percent; `speaker(segment)` -> name or null. */
    constructor({ operations, words, say, unsureBelow, speaker }) {
      Object.assign(this, { operations, tags: words.tags, families: words.families, spoken: words.spoken, say, unsureBelow, speaker });
    }

    tagName(family, value) { return this.tags[family][value]?.name ?? value; }
    button(action, text, name, short) {
      return element("button", { type: "button", "data-action": action, "aria-label": name, title: short }, sign(text));
    }

    item(segment, place, count) {
      const number = place + 1, edited = !this.operations.isRecognized(segment), say = this.say;
      const original = edited ? this.operations.recognizedText(segment.pieces).slice(0, MOST_TITLE) : "";
      const play = element("button", { type: "button", class: "lv-play", "data-action": "play", "aria-label": say("play", { number, time: clock(segment.start) }) },
        sign("▶"), " ", element("span", { class: "lv-time" }, `${clock(segment.start)}–${clock(segment.end)}`));
      const speaker = this.speaker(segment);
      const actions = element("span", { class: "lv-segment-actions" }, this.button("edit", "✎", say("edit", { number }), say("edit_short")),
        edited ? this.button("restore", "↺", say("restore", { number }), say("restore_short")) : null);
      const head = element("div", { class: "lv-segment-head" }, play, speaker ? element("span", { class: "lv-speaker" }, speaker) : null, this.chips(segment),
        edited ? element("span", { class: "lv-edited", title: say("original", { text: original }) }, say("edited")) : null, actions);
      return element("li", {
        class: "lv-segment", tabindex: "-1", "data-index": place, "data-start": segment.start, "data-end": segment.end,
        "aria-setsize": count, "aria-posinset": number,
      }, head, this.text(segment, number), this.readings(segment, number));
    }

    /* The text: each word with its time, so that it can be marked and played, and with its confidence where one is known. */
    text(segment, number) {
      const paragraph = element("p", { class: "lv-text", "data-action": "play", "data-field": this.say("field", { number }) });
      if (!segment.text) {
        paragraph.append(element("span", { class: "lv-muted" }, this.say("no_text")));
        return paragraph;
      }
      const inner = this.inLanguage(segment, "");
      let place = 0;
      for (const [first, last, start, , confidence] of this.operations.words(segment)) {
        if (first > place) inner.append(segment.text.slice(place, first));
        const known = confidence !== null, word = element("span", {
          class: known && confidence * 100 < this.unsureBelow() ? "lv-word lv-unsure" : "lv-word", "data-start": start,
          "data-confidence": known ? confidence.toFixed(3) : null, title: known ? this.say("confidence", { share: percent(confidence) }) : null,
        }, segment.text.slice(first, last));
        inner.append(word);
        place = last;
      }
      inner.append(segment.text.slice(place));
      paragraph.append(inner);
      return paragraph;
    }

    inLanguage(segment, text) { return element("span", { lang: this.spoken[segment.language] ?? null }, text); }

    /* The three tags, and on hover or focus the likeliest of each family; a person's choice stands alone. */
    chips(segment) {
      const source = this.operations.source(segment), spoken = [], chips = [], tips = [];
      for (const family of FAMILIES) {
        const value = segment[family], chosen = value !== source[family], name = this.tagName(family, value);
        const share = chosen ? this.say("chosen") : percent(source.likeliest[family].find(([tag]) => tag === value)?.[1] ?? 0);
        spoken.push(`${name} ${share}`);
        chips.push(element("span", { class: `lv-tag lv-${family} lv-${value}`, title: `${this.families[family]}: ${name}, ${share}` },
          sign(this.tags[family][value]?.emoji ?? ""), ` ${name}`));
        tips.push(element("span", { class: "lv-tip-family" }, this.families[family]));
        for (const [tag, probability] of source.likeliest[family]) {
          const bar = element("span", {});
          bar.style.width = `${(probability * 100).toFixed(1)}%`;
          tips.push(element("span", { class: "lv-tip-row" }, element("span", {}, this.tagName(family, tag)), element("span", { class: "lv-bar" }, bar),
            element("span", {}, percent(probability))));
        }
      }
      return element("span", { class: "lv-tags", tabindex: "0", role: "group", "aria-label": spoken.join(", ") }, ...chips,
        element("span", { class: "lv-tip", "aria-hidden": "true" }, ...tips));
    }

    /* What a segment may say, the likeliest first; a click on one makes it the text. */
    readings(segment, number) {
      const found = segment.pieces.length === 1 ? this.operations.source(segment).readings : null;
      if (!found) return null;
      const list = found.map(([text, probability]) => element("li", {}, element("button", {
        type: "button", "data-action": "take", title: this.say("take", { number }),
      }, text ? this.inLanguage(segment, text) : element("span", { class: "lv-muted" }, this.say("no_text"))),
      " ", element("span", { class: "lv-muted" }, percent(probability))));
      return element("details", { class: "lv-readings" }, element("summary", {}, this.say("readings", { count: found.length })), element("ol", {}, ...list));
    }

    row(segment, place) {
      const number = place + 1, tags = FAMILIES.map((family) => this.tagName(family, segment[family])).join(" · ");
      const text = segment.text ? this.inLanguage(segment, segment.text) : element("span", { class: "lv-muted" }, this.say("no_text"));
      const speaker = this.speaker(segment), seek = element("button", {
        type: "button", class: "lv-row-seek", "data-action": "seek", "aria-label": this.say("seek_to", { number, time: clock(segment.start) }),
      }, String(number));
      const cells = [seek, clock(segment.start), clock(segment.end), `${((segment.end - segment.start) / 1000).toFixed(1)} s`, tags];
      const row = element("tr", { "data-index": place, "data-start": segment.start, "aria-rowindex": place + 2 }, ...cells.map((cell) => element("td", {}, cell)));
      row.append(element("td", {}, speaker ? element("span", { class: "lv-speaker" }, speaker) : "", speaker ? " " : "", text));
      return row;
    }
  }

  Object.assign((window.lightvoiceParts ??= {}), { SegmentView, clock, element, sign });
})();

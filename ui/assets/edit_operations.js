// What may be done to the segments of a transcript: pure functions from segments to segments, which are never changed in place.
// A segment is { start, end, text, language, emotion, event, pieces, index }: `pieces` are the recognized words that it was made of, each as
// [recognized segment, first word, word behind the last]; `index` is the recognized segment's number while nothing is changed, else null.
(() => {
  const SHORTEST_MS = 50, WIDE = /[\u2e80-\u{10ffff}]/u;
  const FAMILIES = ["language", "emotion", "event"];
  const oneLine = (text) => text.replace(/\s+/gu, " ").trim();
  const joined = (left, right) => (!left || !right ? left || right
    : left + (WIDE.test([...left].at(-1)) && WIDE.test([...right][0]) ? "" : " ") + right); // as engine/editing/edited_transcript.py

  class EditOperations {
    constructor(recognized) {
      this.recognized = recognized;
      this.untouched = recognized.map(({ start, end, text, language, emotion, event }, index) => ({
        start, end, text, language, emotion, event, index, pieces: [[index, 0, this.count(index)]],
      }));
      this.timed = new WeakMap();
    }

    count(index) { return this.recognized[index].count; }
    of(index) { return this.recognized[index].words; }

    /* The segments that the server sent: numbers are untouched ones. */
    received(edits) {
      if (!edits) return this.untouched;
      return edits.segments.map((one) => (typeof one === "number" ? this.untouched[one] : this.settled({
        start: one.start_ms, end: one.end_ms, text: one.text, language: one.language, emotion: one.emotion, event: one.event, pieces: one.pieces,
      })));
    }

    /* The same for the server: times in ms, changed segments in full. */
    sent(segments) {
      return segments.map(({ index, start, end, text, language, emotion, event, pieces }) => index ?? {
        start_ms: start, end_ms: end, text: oneLine(text), language, emotion, event, pieces,
      });
    }

    source(segment) { return this.recognized[segment.pieces[0][0]]; }
    channel(segment) { return this.source(segment).channel; }

    /* A segment that became what was recognized is the recognized one again. */
    settled(segment) {
      const [index, first, last] = segment.pieces[0], whole = this.untouched[index];
      const same = segment.pieces.length === 1 && first === 0 && last === this.count(index)
        && ["start", "end", "text", ...FAMILIES].every((name) => segment[name] === whole[name]);
      return same ? whole : { ...segment, index: null };
    }

    pieceText([index, first, last]) {
      const { text } = this.recognized[index], words = this.of(index);
      if (first >= last) return "";
      return oneLine(text.slice(first ? words[first][0] : 0, last < words.length ? words[last][0] : text.length));
    }

    recognizedText(pieces) { return pieces.map((piece) => this.pieceText(piece)).reduce(joined, ""); }
    isRecognized(segment) { return segment.index !== null || segment.text === this.recognizedText(segment.pieces); }

    /* The words of a segment: [first, behind the last character, start, end, confidence]; of words that a person wrote the times are shares. */
    words(segment) {
      if (segment.index !== null) return this.of(segment.index);
      if (!this.timed.has(segment)) this.timed.set(segment, (this.isRecognized(segment) && this.wordsOfPieces(segment)) || this.spread(segment));
      return this.timed.get(segment);
    }

    wordsOfPieces({ text, pieces }) {
      const found = [];
      let place = 0;
      for (const [index, first, last] of pieces) {
        for (const [begin, end, ...rest] of this.of(index).slice(first, last)) {
          const written = this.recognized[index].text.slice(begin, end), at = text.indexOf(written, place);
          if (at < 0) return null;
          found.push([at, at + written.length, ...rest]);
          place = at + written.length;
        }
      }
      return found;
    }

    spread({ text, start, end }) {
      const units = [...text.matchAll(/[\u2e80-\u{10ffff}]|[^\s\u2e80-\u{10ffff}]+/gu)];
      const total = units.reduce((sum, [unit]) => sum + unit.length, 0);
      let done = 0;
      return units.map((unit) => {
        const from = start + Math.round((end - start) * done / total);
        done += unit[0].length;
        return [unit.index, unit.index + unit[0].length, from, start + Math.round((end - start) * done / total), null];
      });
    }

    with(segments, place, ...fresh) {
      const next = segments.slice();
      next.splice(place, 1, ...fresh.map((one) => this.settled(one)));
      return next;
    }

    retext(segments, place, text) { return this.with(segments, place, { ...segments[place], text: oneLine(text) }); }
    retag(segments, place, family, value) { return this.with(segments, place, { ...segments[place], [family]: value }); }
    restored(segments, place) { return this.retext(segments, place, this.recognizedText(segments[place].pieces)); }

    /* Before which word a segment is split at a time, or at a character of its text; 0 where there is nothing to split. */
    wordAt(segment, ms) {
      const words = this.words(segment);
      return Math.max(0, words.findLastIndex((word) => word[2] <= ms));
    }
    wordFrom(segment, character) {
      return Math.max(0, this.words(segment).findIndex((word) => word[0] >= character));
    }

    /* Two segments of one, the second of which begins with this word; null where one would be empty. */
    split(segments, place, word) {
      const segment = segments[place], words = this.words(segment);
      if (word <= 0 || word >= words.length) return null;
      const cut = words[word][0], begin = Math.min(Math.max(words[word][2], segment.start + SHORTEST_MS), segment.end - SHORTEST_MS);
      const end = Math.max(Math.min(words[word - 1][3], begin), segment.start + SHORTEST_MS);
      if (end > begin || begin <= segment.start) return null; // too short for two
      const [left, right] = this.cutPieces(segment, word, begin);
      return this.with(segments, place,
        { ...segment, end, text: segment.text.slice(0, cut).trim(), pieces: left },
        { ...segment, start: begin, text: segment.text.slice(cut).trim(), pieces: right });
    }

    cutPieces(segment, word, ms) {
      const left = [], right = [], recognized = this.isRecognized(segment);
      let rest = word;
      for (const [index, first, last] of segment.pieces) {
        const before = recognized ? rest : this.of(index).slice(first, last).filter((one) => one[2] < ms).length;
        const cut = Math.min(last, first + Math.max(0, before));
        rest -= last - first;
        if (cut > first) left.push([index, first, cut]);
        if (cut < last) right.push([index, cut, last]);
      }
      const [index, first] = segment.pieces[0], [lastIndex, , last] = segment.pieces.at(-1);
      return [left.length ? left : [[index, first, first]], right.length ? right : [[lastIndex, last, last]]];
    }

    /* The next segment of the same speaker, with which one may be joined; -1 where there is none. */
    next(segments, place) {
      const channel = this.channel(segments[place]);
      return segments.findIndex((one, other) => other > place && this.channel(one) === channel);
    }

    join(segments, place) {
      const other = this.next(segments, place);
      if (other < 0) return null;
      const [first, second] = [segments[place], segments[other]], pieces = [...first.pieces];
      for (const [index, begin, end] of second.pieces) {
        const last = pieces.at(-1);
        if (last[0] === index && last[2] === begin) pieces[pieces.length - 1] = [index, last[1], end];
        else pieces.push([index, begin, end]);
      }
      const recognized = this.isRecognized(first) && this.isRecognized(second);
      const text = recognized ? this.recognizedText(pieces) : joined(first.text, second.text);
      const whole = { ...first, end: Math.max(first.end, second.end), text, pieces };
      return this.with(segments.filter((_, at) => at !== other), place, whole);
    }

    /* How far the ends may go: to the neighbours of the same speaker, and to the ends of the recording. */
    room(segments, place, duration) {
      const channel = this.channel(segments[place]), mine = segments[place];
      const others = segments.filter((one, at) => at !== place && this.channel(one) === channel);
      const before = others.filter((one) => one.start < mine.start).map((one) => one.end);
      const behind = others.filter((one) => one.start >= mine.end).map((one) => one.start);
      return { least: Math.min(mine.start, Math.max(0, ...before)), most: Math.max(mine.end, Math.min(duration, ...behind)) };
    }

    moved(segments, place, end, ms, duration) {
      const mine = segments[place], { least, most } = this.room(segments, place, duration);
      const at = Math.round(end === "start" ? Math.min(Math.max(ms, least), mine.end - SHORTEST_MS)
        : Math.max(Math.min(ms, most), mine.start + SHORTEST_MS));
      return at === mine[end] ? null : this.with(segments, place, { ...mine, [end]: at });
    }
  }

  (window.lightvoiceParts ??= {}).EditOperations = EditOperations;
})();

// The recognized segments as the server sends them (ui/transcribe/viewer_data.py): a list a field. What only a segment in view needs, its
// words, readings and likeliest tags, is read when it is first asked for: hours of speech have a hundred thousand words.
(() => {
  const NUMBERS = 5, PER_MILLE = 1000;

  class RecognizedSegment {
    constructor(columns, at) {
      for (const name of ["start", "end", "text", "language", "emotion", "event", "channel", "count"]) this[name] = columns[name][at];
      this.sent = columns.details[at];
    }

    get details() { return (this.read ??= JSON.parse(this.sent)); }
    get likeliest() { return this.details.likeliest; }
    get readings() { return this.details.readings; }

    /* [first character, behind the last, start, end in ms, confidence or null]; sent as steps from one word to the next. */
    get words() { return (this.placed ??= this.place(this.details.words)); }

    place(numbers) {
      const words = [];
      let last = 0, end = this.start;
      for (let at = 0; at < numbers.length; at += NUMBERS) {
        const [ahead, length, pause, lasting, sure] = numbers.slice(at, at + NUMBERS), first = last + ahead, start = end + pause;
        last = first + length;
        end = start + lasting;
        words.push([first, last, start, end, sure === null ? null : sure / PER_MILLE]);
      }
      return words;
    }
  }

  const recognizedSegments = (columns) => columns.start.map((_, at) => new RecognizedSegment(columns, at));
  (window.lightvoiceParts ??= {}).recognizedSegments = recognizedSegments;
})();

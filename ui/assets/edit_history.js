// The state of a transcript that is edited: what it is now, what it was before (undo) and after (redo), and sending it to the server.
// All changes go as one value; one request at a time; what changed meanwhile goes with the next. The browser tab keeps the last states,
// so that undo outlives a reload; those of another version of the transcript are left out.
(() => {
  const AGAIN_MS = 2000, MOST_KEPT = 20;

  class EditHistory {
    /* `tell(kind)`: "saved", "unsaved" (trying again), "replaced" (another run or page has changed it), "gone", "refused". */
    constructor({ operations, data, address, changed, tell }) {
      Object.assign(this, { operations, address, changed, tell, version: data.version, past: [], future: [], sending: null, dirty: false });
      this.now = this.received(data.edits);
      this.recall();
    }

    received(edits) { return { segments: this.operations.received(edits), speakers: new Map(edits?.speakers ?? []) }; }
    sent(state) { return { segments: this.operations.sent(state.segments), speakers: [...state.speakers] }; }

    get key() { return `lightvoice-undo-${this.address}`; }

    keep() {
      const past = this.past.slice(-MOST_KEPT).map((one) => this.sent(one)), future = this.future.slice(-MOST_KEPT).map((one) => this.sent(one));
      try { // a browser that forbids storage, or has no room, forgets with a reload, nothing more
        sessionStorage.setItem(this.key, JSON.stringify({ version: this.version, past, future }));
      } catch { this.forget(); }
    }

    forget() {
      try { sessionStorage.removeItem(this.key); } catch { /* it forbids that as well */ }
    }

    recall() {
      try {
        const kept = JSON.parse(sessionStorage.getItem(this.key));
        if (kept?.version !== this.version) return;
        [this.past, this.future] = [kept.past, kept.future].map((states) => states.map((one) => this.received(one)));
      } catch { this.forget(); }
    }

    get segments() { return this.now.segments; }

    apply(change) {
      if (!change) return false;
      this.past.push(this.now);
      this.future = [];
      return this.become({ ...this.now, ...change });
    }

    become(state) {
      const before = this.now;
      this.now = { ...state, segments: [...state.segments].sort((one, other) => one.start - other.start) };
      this.changed(before);
      this.dirty = true;
      this.sending ??= this.send().finally(() => { this.sending = null; });
      return true;
    }

    undo() {
      if (!this.past.length) return false;
      this.future.push(this.now);
      return this.become(this.past.pop());
    }

    redo() {
      if (!this.future.length) return false;
      this.past.push(this.now);
      return this.become(this.future.pop());
    }

    /* Until what is on its way to the server is there, or has failed. */
    async settled() {
      while (this.sending && !this.trouble) await this.attempt;
    }

    async send() {
      while (this.dirty && !this.over) {
        this.dirty = false;
        this.attempt = this.sendOnce();
        this.trouble = !await this.attempt;
        if (this.trouble && !this.over) await new Promise((done) => setTimeout(done, AGAIN_MS));
      }
    }

    async sendOnce() {
      const body = JSON.stringify(this.sent(this.now));
      let answer = null;
      try { // keepalive: what was changed last is saved although the page is closed, if it is small
        const options = { method: "POST", headers: { "content-type": "application/json" }, body, keepalive: body.length < 60000 };
        answer = await fetch(`${this.address}/edits?seen=${this.version}`, options);
      } catch { /* no connection: tried again */ }
      if (answer?.ok) {
        this.version = (await answer.json()).version;
        this.keep();
        this.tell("saved");
        return true;
      }
      if (answer && answer.status < 500) {
        this.over = true;
        this.tell({ 404: "gone", 409: "replaced" }[answer.status] ?? "refused");
      } else {
        this.dirty = true;
        this.tell("unsaved");
      }
      return false;
    }
  }

  (window.lightvoiceParts ??= {}).EditHistory = EditHistory;
})();

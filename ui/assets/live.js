// The Live tab: takes the microphone, sends its samples to the page's own server (ui/live/routes.py) one block after the other, and
// shows the text that comes back. Everything that comes as HTML was escaped by the server; nothing else becomes HTML here.
(() => {
  const BLOCK_S = 0.25, MOST_S = 10, BEHIND_S = 120; // a block, the most that one request carries, the most that may wait
  const TRIES = 6, AGAIN_MS = 700, MOST_SHOWN = 200;
  const TAP = `registerProcessor("lightvoice-tap", class extends AudioWorkletProcessor {
    constructor() {
      super();
      this.kept = new Float32Array(1024);
      this.length = 0;
      this.port.onmessage = () => { this.give(); this.port.postMessage(null); this.over = true; };
    }
    give() { if (this.length) this.port.postMessage(this.kept.slice(0, this.length)); this.length = 0; }
    process([input]) {
      if (input[0] && !this.over) {
        if (this.length + input[0].length > this.kept.length) this.give();
        this.kept.set(input[0], this.length);
        this.length += input[0].length;
      }
      return !this.over;
    }
  });`;
  let run = null; // the stream that is open, else null
  let last = ""; // the id of the stream whose transcript is shown
  const place = (name) => document.getElementById(`lv-live-${name}`);
  const word = (state) => place("stage").dataset[state];
  const address = (id, path) => `live/${id}/${path}`;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  function say(state, html = "") {
    const line = place("state");
    line.dataset.state = state;
    line.textContent = word(state);
    if (html) line.insertAdjacentHTML("beforeend", ` ${html}`);
    document.documentElement.classList.toggle("lv-live-on", run !== null);
  }

  function clear() {
    for (const name of ["notes", "segments", "partial", "status"]) place(name).innerHTML = "";
    place("notes").source = "";
    place("earlier").hidden = place("tools").hidden = true;
    place("empty").hidden = false;
  }

  async function start(language, itn, hotwords, homophones, ban, pause) {
    if (run) return;
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const mine = {
      id: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      options: new URLSearchParams({ language, itn, homophones, ban, pause }),
      hotwords: new TextEncoder().encode(hotwords ?? ""), // too long for an address: they go before the first block's samples
      number: 0, parts: [], samples: 0, sending: false, stopping: false,
    };
    run = mine;
    while (!place("stage")) await wait(50); // pressed before the page was drawn
    say("opening");
    try {
      await listen(mine);
    } catch (error) {
      const known = { NotAllowedError: "denied", NotFoundError: "noDevice", SecurityError: "insecure" };
      release(mine);
      run = null;
      say(window.isSecureContext ? known[error.name] ?? "noDevice" : "insecure");
      return;
    }
    if (last) navigator.sendBeacon(address(last, "leave"));
    last = mine.id;
    clear();
    say("listening");
    place("stop")?.focus();
  }

  async function listen(mine) {
    if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
    mine.stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    mine.context = new AudioContext();
    const code = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
    await mine.context.audioWorklet.addModule(code);
    URL.revokeObjectURL(code);
    mine.tap = new AudioWorkletNode(mine.context, "lightvoice-tap", { channelCount: 1, channelCountMode: "explicit" });
    mine.tap.port.onmessage = ({ data }) => (data ? take(mine, data) : mine.tapped?.());
    mine.context.createMediaStreamSource(mine.stream).connect(mine.tap);
    mine.tap.connect(mine.context.destination); // silent; a node that leads nowhere is not run
    await mine.context.resume();
    mine.stream.getTracks().forEach((track) => { track.onended = () => stop(); }); // unplugged
  }

  function release(mine) {
    mine.stream?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    mine.context?.close().catch(() => {}); // closed already
    const level = place("level");
    if (level) level.value = 0;
  }

  function take(mine, samples) {
    mine.parts.push(samples);
    mine.samples += samples.length;
    place("level").value = Math.min(1, 3 * Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length));
    const rate = mine.context.sampleRate;
    if (mine.samples > BEHIND_S * rate) fail(mine, "lost");
    else if (mine.samples >= BLOCK_S * rate) send(mine);
  }

  function block(mine) {
    const most = MOST_S * mine.context.sampleRate, taken = [];
    let length = 0;
    while (mine.parts.length && length < most) {
      taken.push(mine.parts[0]);
      length += mine.parts.shift().length;
    }
    mine.samples -= length;
    const pcm = new DataView(new ArrayBuffer(2 * length));
    let at = 0;
    for (const part of taken) for (const x of part) { pcm.setInt16(at, Math.round(Math.max(-1, Math.min(1, x)) * 32767), true); at += 2; }
    return pcm.buffer;
  }

  async function post(mine, path, body) {
    for (let tried = 1; ; tried += 1) {
      let answer = null;
      try {
        answer = await fetch(address(mine.id, path), { method: "POST", headers: { "content-type": "application/octet-stream" }, body });
      } catch (error) { // no connection; the same block again, which the server counts once
        if (tried >= TRIES) throw error;
      }
      if (answer?.ok) return answer.json();
      if (answer && answer.status < 500) throw new Error(`${answer.status}`);
      if (tried >= TRIES) throw new Error("lost");
      await wait(AGAIN_MS * tried);
    }
  }

  async function send(mine) {
    if (mine.sending) return;
    mine.sending = true;
    try {
      const least = () => (mine.stopping ? 1 : BLOCK_S * mine.context.sampleRate);
      while (run === mine && mine.samples >= least()) {
        const head = mine.number ? [] : [mine.hotwords], before = mine.number ? 0 : mine.hotwords.length;
        const query = `rate=${Math.round(mine.context.sampleRate)}&${mine.options}&hotwords_bytes=${before}`;
        const news = await post(mine, `blocks/${mine.number}?${query}`, new Blob([...head, block(mine)]));
        mine.number += 1;
        if (run !== mine) return;
        show(news);
        if (news.over) { fail(mine, news.failure ? "failed" : "full", news.failure); return; }
      }
    } catch { fail(mine, "lost"); }
    mine.sending = false;
    mine.sent?.();
  }

  async function stop() {
    const mine = run;
    if (!mine || mine.stopping || !mine.tap) return;
    mine.stopping = true;
    say("stopping");
    const tapped = new Promise((done) => { mine.tapped = done; });
    mine.tap.port.postMessage("end");
    await Promise.race([tapped, wait(1000)]); // a tab that sleeps does not answer
    const sent = new Promise((done) => { mine.sent = done; });
    if (!mine.sending) send(mine);
    await sent;
    if (run !== mine) return;
    try {
      if (mine.number) show(await post(mine, "end"));
      over(mine, "stopped");
    } catch { over(mine, "lost"); }
  }

  function over(mine, state, html) {
    release(mine);
    run = null;
    place("partial").innerHTML = "";
    place("tools").hidden = place("segments").childElementCount === 0;
    say(state, html);
    place("start")?.focus();
  }

  function fail(mine, state, html) {
    if (run === mine) over(mine, state, html ?? "");
    mine.sent?.();
  }

  function show(news) {
    const text = place("text"), list = place("segments");
    const atEnd = text.scrollHeight - text.scrollTop - text.clientHeight < 60;
    for (const html of news.segments ?? []) list.insertAdjacentHTML("beforeend", html);
    for (; list.childElementCount > MOST_SHOWN; list.firstElementChild.remove()) place("earlier").hidden = false;
    place("partial").innerHTML = news.partial ?? "";
    if (place("notes").source !== news.notes) place("notes").innerHTML = place("notes").source = news.notes ?? "";
    place("empty").hidden = Boolean(list.childElementCount || news.partial);
    if (news.status) {
      const fresh = document.createElement("template");
      fresh.innerHTML = news.status;
      for (const part of [...fresh.content.children]) {
        const before = place("status").querySelector(`[data-part="${part.dataset.part}"]`);
        if (before) before.replaceWith(part);
        else place("status").append(part);
      }
    }
    if (atEnd) text.scrollTop = text.scrollHeight;
  }

  async function copy(button) {
    const words = await (await fetch(address(last, "transcript.txt"), { cache: "no-store" })).text();
    try {
      await navigator.clipboard.writeText(words);
    } catch { // not allowed, or no longer the click's doing: the old way needs neither
      const field = document.createElement("textarea");
      field.value = words;
      document.body.append(field);
      field.select();
      const copied = document.execCommand("copy");
      field.remove();
      if (!copied) return;
    }
    place("copied").textContent = button.dataset.done;
    setTimeout(() => { place("copied").textContent = ""; }, 3000);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-live-format]"), button = event.target.closest?.("[data-live-copy]");
    if (link) link.href = window.lightvoiceQueue.asChosen(address(last, `transcript.${link.dataset.liveFormat}`));
    if (button) copy(button).catch(() => say("lost"));
  });
  window.addEventListener("pagehide", () => { if (last) navigator.sendBeacon(address(last, "leave")); });
  window.lightvoiceLive = { start, stop };
})();

// The microphone: the Transcribe tab's recorder, and for every tab the sign that one is open and the sentence that it was refused.
(() => {
  const TICK_MS = 250, NAME = "lightvoice-recording", KINDS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
  const part = (name) => document.getElementById(`lv-record-${name}`);
  const words = (name) => document.getElementById("lv-recorder")?.dataset[name] ?? "";
  const clock = (ms) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;
  const isLive = (stream) => stream.getAudioTracks().some((track) => track.readyState === "live");
  const open = new Map(); // stream -> when it was opened
  let recording = null, pressed = null, ticking = 0;

  /* Whoever opens a microphone, the page shows it, above all tabs and in its title. */
  const devices = navigator.mediaDevices;
  if (devices?.getUserMedia) {
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
      try {
        const stream = await ask(wanted);
        if (stream.getAudioTracks().length) { open.set(stream, performance.now()); forget(); tick(); }
        return stream;
      } catch (error) {
        refuse(error.name);
        throw error;
      }
    };
  }

  function tick() {
    clearTimeout(ticking);
    for (const stream of open.keys()) if (!isLive(stream)) open.delete(stream);
    const sign = document.getElementById("lv-mic-on"), since = Math.min(...open.values());
    if (sign) {
      sign.hidden = !open.size;
      if (open.size) document.getElementById("lv-mic-time").textContent = clock(performance.now() - since);
    }
    document.title = `${open.size ? "● " : ""}${document.title.replace(/^● /, "")}`;
    if (recording && part("time")) part("time").textContent = clock(performance.now() - recording.since);
    if (open.size) ticking = setTimeout(tick, TICK_MS);
  }

  /* A refusal is said where Record was pressed. */
  document.addEventListener("click", (event) => { pressed = event.target; }, true);
  const forget = () => document.querySelectorAll(".lv-mic-refused").forEach((one) => one.remove());
  function refuse(name) {
    const box = pressed?.closest?.("#lv-recorder, #lv-compare-audio");
    if (!box) return; // the Live tab says it itself
    forget();
    const note = document.createElement("p");
    note.className = "lv-mic-hint lv-mic-refused";
    note.setAttribute("role", "alert");
    note.textContent = words(name === "NotAllowedError" ? "denied" : "none");
    box.after(note);
  }

  /* The recorder. What it recorded goes into the box as a file, and is transcribed at once. */
  async function start() {
    if (recording) return;
    if (!devices?.getUserMedia || !window.MediaRecorder) { refuse(window.isSecureContext ? "NotFoundError" : "NotAllowedError"); return; }
    recording = { since: performance.now() };
    try {
      const stream = await devices.getUserMedia({ audio: true });
      const kind = KINDS.find((one) => MediaRecorder.isTypeSupported(one));
      const recorder = new MediaRecorder(stream, kind ? { mimeType: kind, audioBitsPerSecond: 128000 } : {});
      const parts = [];
      recorder.ondataavailable = ({ data }) => { if (data.size) parts.push(data); };
      recorder.onstop = () => finish(stream, parts, recorder.mimeType);
      stream.getAudioTracks().forEach((track) => { track.onended = stop; }); // unplugged
      recorder.start(1000);
      recording = { recorder, since: performance.now() };
      draw();
      part("stop").focus();
      tick();
    } catch { // said by refuse()
      recording = null;
      draw();
    }
  }

  function stop() {
    if (recording?.recorder?.state === "recording") recording.recorder.stop();
  }

  async function finish(stream, parts, kind) {
    recording = null;
    stream.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    tick();
    draw();
    part("start")?.focus();
    const ending = kind.includes("mp4") ? "m4a" : kind.includes("ogg") ? "ogg" : "webm";
    if (parts.length) await window.lightvoiceGive([new File(parts, `${NAME}.${ending}`, { type: kind.split(";")[0] })]);
  }

  function draw() {
    const runs = recording?.recorder !== undefined;
    document.getElementById("lv-recorder").dataset.state = runs ? "recording" : "ready";
    part("start").hidden = runs;
    part("stop").hidden = part("time").hidden = !runs;
    part("time").textContent = "0:00";
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-record]");
    if (button?.dataset.record === "start") start();
    if (button?.dataset.record === "stop") stop();
  });
  window.addEventListener("beforeunload", (event) => { if (recording?.recorder) event.preventDefault(); }); // what was said would be lost
})();

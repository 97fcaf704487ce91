// The Transcribe tab's queue and transcripts: asks the page's own server (ui/transcribe/queue_routes.py) for rows and results as HTML, puts
// them in, and carries out what is clicked. Everything that comes as HTML was escaped by the server; nothing else becomes HTML here.
(() => {
  const BUSY_MS = 500, IDLE_MS = 60000, LOST_MS = 2000, DRAWN_MS = 100, MANY_ROWS = 20; // an idle page asks too, for who does not ask is taken for gone
  const KEY = "lightvoice-queue";
  const spans = (list) => [...document.querySelectorAll(list)];
  let unsureBelow = 50, subtitles = "", shown = "", timer = 0, looking = false, again = false;
  const saving = new Set();

  const made = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  let queueId = made;
  try { // a browser that forbids storage loses the queue with a reload, nothing more
    queueId = sessionStorage.getItem(KEY) || made;
    sessionStorage.setItem(KEY, queueId);
  } catch { queueId = made; }

  const address = (path = "") => `recordings/${queueId}${path}`;
  async function ask(path, options = {}) {
    const answer = await fetch(address(path), { cache: "no-store", ...options });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer;
  }
  const post = (path, body) => ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}) });

  function element(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  }

  /* The queue. Only rows that changed are replaced, and the focus stays where it was. */
  async function look() {
    if (looking) { again = true; return; }
    clearTimeout(timer);
    if (!document.getElementById("lv-queue-rows") || !document.getElementById("lv-shown")) { // Gradio has not drawn the page yet
      timer = setTimeout(look, DRAWN_MS);
      return;
    }
    looking = true;
    let next = IDLE_MS;
    try {
      const state = await (await ask()).json();
      if (state.active) next = state.rows.length > MANY_ROWS ? 2 * BUSY_MS : BUSY_MS;
      lost(false);
      draw(state);
      await show(state.shown);
      progress(state.shown);
    } catch {
      lost(true);
      next = LOST_MS;
    }
    looking = false;
    timer = setTimeout(look, again ? 0 : next);
    again = false;
  }

  function lost(yes) {
    document.getElementById("lv-queue-lost").hidden = !yes;
  }

  function draw(state) {
    const head = document.getElementById("lv-queue-head"), list = document.getElementById("lv-queue-rows");
    keepingFocus(() => {
      replaced(head, state.head);
      const known = new Map([...list.children].map((row) => [row.dataset.entry, row]));
      state.rows.forEach(({ id, html }, place) => {
        let row = known.get(id);
        known.delete(id);
        if (!row || row.source !== html) {
          const fresh = element(html);
          fresh.source = html;
          if (row) row.replaceWith(fresh);
          row = fresh;
        }
        if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
      });
      known.forEach((row) => row.remove());
    });
  }

  function progress(wanted) {
    const place = document.getElementById("lv-shown-progress");
    if (place) replaced(place, wanted?.progress ?? "");
  }

  function replaced(place, html) {
    if (place.source === html) return;
    place.source = html;
    place.innerHTML = html;
  }

  function keepingFocus(change) {
    const focused = document.activeElement, action = focused?.dataset?.action, entry = focused?.closest?.("[data-entry]")?.dataset.entry;
    change();
    if (!action || !entry || focused.isConnected) return;
    const row = document.querySelector(`[data-entry="${entry}"]`);
    (row?.querySelector(`[data-action="${action}"]`) ?? row?.querySelector("button"))?.focus();
  }

  /* The transcript of the selected recording; fetched anew only when it became another one. */
  async function show(wanted) {
    const place = document.getElementById("lv-shown"), key = wanted ? `${wanted.id}.${wanted.revision}` : "";
    if (key === shown && place.dataset.key === key) return;
    if (!wanted) {
      if (place.dataset.key) place.innerHTML = place.empty;
    } else {
      place.empty ??= place.innerHTML;
      place.innerHTML = await (await ask(`/${wanted.id}/result`)).text();
    }
    shown = place.dataset.key = key;
    mark(unsureBelow);
  }
  const shownEntry = () => shown.split(".")[0];

  function mark(percent) {
    unsureBelow = Number(percent);
    spans("#lv-shown .lv-word").forEach((word) => word.classList.toggle("lv-unsure", Number(word.dataset.confidence) * 100 < unsureBelow));
  }

  /* Playing: the segment under the player's time is lit. */
  function play(from) {
    const player = document.getElementById("lv-player");
    if (!player) return;
    const start = () => {
      player.currentTime = from / 1000;
      player.play().catch(() => {}); // the next click came before this one was answered
    };
    if (player.readyState >= HTMLMediaElement.HAVE_METADATA) return start();
    player.addEventListener("loadedmetadata", start, { once: true });
    if (player.error) player.load(); // its first attempt fell into a lost connection
  }

  document.addEventListener("timeupdate", follow, true); // media events do not bubble, but they are captured
  document.addEventListener("seeked", follow, true);
  function follow(event) {
    if (event.target.id !== "lv-player") return;
    const now = event.target.currentTime * 1000;
    spans("#lv-shown .lv-segment").forEach((segment) => {
      const lit = now >= Number(segment.dataset.start) - 20 && now < Number(segment.dataset.end);
      if (lit === segment.classList.contains("lv-playing")) return;
      segment.classList.toggle("lv-playing", lit);
      if (lit) segment.querySelector(".lv-play").setAttribute("aria-current", "true");
      else segment.querySelector(".lv-play").removeAttribute("aria-current");
    });
  }

  const wordsOf = (text) => (text.querySelector(".lv-muted") ? "" : text.textContent); // muted is what stands for no words

  /* Editing: the text becomes a field, Enter or leaving it keeps the words, Escape does not. */
  function edit(segment) {
    const text = segment.querySelector(".lv-text");
    if (segment.querySelector("textarea")) return;
    const field = document.createElement("textarea");
    field.className = "lv-text-field";
    field.value = wordsOf(text);
    field.setAttribute("aria-label", text.dataset.field);
    field.rows = Math.max(2, Math.ceil(field.value.length / 60));
    const before = field.value;
    let over = false;
    const close = (keep) => {
      if (over) return;
      over = true;
      field.remove();
      text.hidden = false;
      const back = () => document.querySelector(`#lv-shown [data-index="${segment.dataset.index}"] [data-action="edit"]`)?.focus();
      if (keep && field.value !== before) save(segment, field.value).then(back);
      else back();
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); close(true); }
      if (event.key === "Escape") close(false);
    });
    field.addEventListener("blur", () => close(true));
    text.hidden = true;
    text.after(field);
    field.focus();
  }

  async function save(segment, words) {
    const index = segment.dataset.index;
    const sent = post(`/${shownEntry()}/segments/${index}`, { text: words }).then((answer) => answer.json());
    saving.add(sent);
    try {
      const fresh = await sent;
      segment.replaceWith(element(fresh.segment));
      const row = document.querySelector(`#lv-segments tr[data-index="${index}"]`);
      const table = element(`<table><tbody>${fresh.row}</tbody></table>`);
      row?.replaceWith(table.querySelector("tr"));
      mark(unsureBelow);
    } catch {
      lost(true); // the words stay in the field
      segment.querySelector('[data-action="edit"]')?.click();
      const field = segment.querySelector("textarea");
      if (field && words !== null) field.value = words;
    } finally {
      saving.delete(sent);
    }
  }

  /* Other readings of a segment, where they were asked for: one of them becomes the text, and may be put back as any edit. */
  function readings(segment, open) {
    const list = segment?.querySelector(".lv-readings");
    if (list) list.open = open;
    return list;
  }
  async function take(segment, reading) {
    const index = segment.dataset.index, place = [...segment.querySelectorAll('[data-action="take"]')].indexOf(reading);
    await save(segment, wordsOf(reading));
    const list = readings(document.querySelector(`#lv-shown .lv-segment[data-index="${index}"]`), true);
    list?.querySelectorAll('[data-action="take"]')[place]?.focus();
  }

  async function copy(button) {
    const words = spans("#lv-shown .lv-text").map(wordsOf).filter(Boolean).join("\n");
    try {
      await navigator.clipboard.writeText(words);
    } catch { // pages without HTTPS have no clipboard but this one
      const field = document.createElement("textarea");
      field.value = words;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    const said = document.getElementById("lv-copied");
    said.textContent = button.dataset.done;
    setTimeout(() => { said.textContent = ""; }, 3000);
  }

  /* How subtitles are cut: asked with each download, so that a change needs no new run. */
  function cut(width, lines, shortest) {
    subtitles = new URLSearchParams({ max_line_width: width, max_line_count: lines, min_cue_ms: shortest }).toString();
  }
  const asChosen = (link) => (subtitles ? `${link}?${subtitles}` : link);

  /* A download waits for words that are still on their way to the server. */
  async function download(link) {
    await Promise.allSettled([...saving]);
    const real = document.createElement("a");
    real.href = asChosen(link.href);
    real.download = "";
    document.body.append(real);
    real.click();
    real.remove();
  }

  async function act(action, target) {
    const entry = target.closest("[data-entry]")?.dataset.entry, segment = target.closest(".lv-segment");
    if (action === "play") {
      const text = target.closest(".lv-text"), selecting = text && window.getSelection().toString();
      if (text) readings(segment, true);
      if (!selecting) play(Number(target.closest("[data-start]").dataset.start));
    } else if (action === "edit") edit(segment);
    else if (action === "take") await take(segment, target.closest("button"));
    else if (action === "restore") await save(segment, null);
    else if (action === "copy") await copy(target.closest("button"));
    else if (action === "download") await download(target.closest("a"));
    else if (action === "cancel-all") { await post("/cancel-all"); look(); }
    else if (entry) {
      await post(`/${entry}/${action}`);
      await look();
      // On a phone the transcript stands below the queue and the options.
      if (action === "select" && window.innerWidth < 700) document.getElementById("lv-shown").scrollIntoView({ behavior: "smooth" });
    }
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-action]");
    if (!target || !target.closest("#lv-queue, #lv-shown")) return;
    if (target.dataset.action === "download") event.preventDefault();
    // A word plays from itself, whatever the action of the text around it says.
    const from = target.dataset.action === "play" && event.target.closest("[data-start]") ? event.target : target;
    act(target.dataset.action, from).catch(() => lost(true));
  });

  document.addEventListener("change", (event) => {
    const choice = event.target.closest?.("#lv-queue [data-choice]"), entry = choice?.closest("[data-entry]")?.dataset.entry;
    if (entry) post(`/${entry}/${choice.dataset.choice}/${choice.value}`).then(look).catch(() => lost(true));
  });

  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  // Who closes the page wants nothing more; who reloads it is back before the server minds.
  window.addEventListener("pagehide", () => { navigator.sendBeacon(address("/leave")); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) look(); });
  // Files that were uploaded and that the server has not been told about yet.
  const uploaded = [];
  const takeFiles = (files) => { uploaded.push(...(files ?? [])); };
  const taken = () => uploaded.splice(0);
  window.lightvoiceQueue = { id: () => queueId, look, mark, cut, asChosen, take: takeFiles, taken };
  look();
})();

// The Transcribe tab's queue and downloads: asks the page's own server (ui/transcribe/queue_routes.py) for rows and results as HTML, puts
// them in, and carries out what is clicked; the transcript itself is the viewer's (viewer.js). Everything that comes as HTML was escaped by the server; nothing else becomes HTML here.
(() => {
  const BUSY_MS = 500, IDLE_MS = 60000, LOST_MS = 2000, DRAWN_MS = 100, MANY_ROWS = 20; // an idle page asks too, for who does not ask is taken for gone
  const KEY = "lightvoice-queue";
  let subtitles = "", shown = "", coming = null, timer = 0, looking = false, again = false;

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
  async function look(answer = null) {
    if (looking) {
      again = true;
      await answer; // if it fails, that is said
      return;
    }
    clearTimeout(timer);
    if (!document.getElementById("lv-queue-rows") || !document.getElementById("lv-shown")) { // Gradio has not drawn the page yet
      timer = setTimeout(look, DRAWN_MS);
      return;
    }
    looking = true;
    let next = IDLE_MS;
    try {
      const state = await (await (answer ?? ask())).json();
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
    place.empty ??= place.innerHTML;
    const { html, segments, revision } = wanted ? await fetched(wanted) : { html: place.empty, segments: null };
    window.lightvoiceViewer.close();
    if (wanted || place.dataset.key) place.innerHTML = html;
    if (segments) window.lightvoiceViewer.open(document.getElementById("lv-viewer"), segments);
    shown = place.dataset.key = wanted ? `${wanted.id}.${revision}` : "";
  }

  /* What is shown of a recording, as HTML, and of a transcript its segments, both complete: no empty frame is seen between. Of a recording that was clicked both were asked for with the click. */
  async function fetched(wanted) {
    const early = coming?.entry === wanted.id ? coming : null;
    coming = null;
    const answer = await early?.result;
    const revisionOf = (result) => result.headers.get("lightvoice-revision") ?? wanted.revision;
    if (answer && revisionOf(answer) === wanted.revision) return { html: await answer.text(), segments: await early.segments, revision: wanted.revision };
    const asked = fetchBoth(wanted.id, wanted.transcribed), result = await asked.result, revision = revisionOf(result);
    if (revision !== wanted.revision) again = true; // it has changed since the queue was asked: the rows that belong to this come next
    // A run may have ended since: it has segments now, and had none when they would have been asked for.
    const segments = asked.segments ?? (result.headers.get("lightvoice-transcribed") === "yes" ? segmentsOf(wanted.id) : null);
    return { html: await result.text(), segments: await segments, revision };
  }

  const segmentsOf = (entry) => ask(`/${entry}/segments`).then((answer) => answer.json());

  function fetchBoth(entry, transcribed) {
    const asked = { entry, result: ask(`/${entry}/result`), segments: transcribed ? segmentsOf(entry) : null };
    for (const one of [asked.result, asked.segments]) one?.catch(() => {}); // said by whoever waits for it
    return asked;
  }

  function showAgain() {
    shown = "";
    look();
  }
  async function copy(button) {
    const words = window.lightvoiceViewer.text();
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
    await window.lightvoiceViewer.settled();
    const real = document.createElement("a");
    real.href = asChosen(link.href);
    real.download = "";
    document.body.append(real);
    real.click();
    real.remove();
  }

  async function act(action, target) {
    const entry = target.closest("[data-entry]")?.dataset.entry;
    if (action === "copy") await copy(target.closest("button"));
    else if (action === "download") await download(target.closest("a"));
    else if (action === "cancel-all") { await post("/cancel-all"); look(); }
    else if (entry) {
      // A transcript is asked for with the click, not after the server has answered to it.
      if (action === "select") {
        const comes = target.closest("[data-entry]").dataset.state === "done" && !shown.startsWith(`${entry}.`);
        coming = comes ? fetchBoth(entry, true) : null;
      }
      await look(post(`/${entry}/${action}`));
      // On a phone the transcript stands below the queue and the options.
      if (action === "select" && window.innerWidth < 700) document.getElementById("lv-shown").scrollIntoView({ behavior: "smooth" });
    }
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-action]");
    if (!target?.closest("#lv-queue, #lv-shown") || target.closest("#lv-viewer")) return;
    if (target.dataset.action === "download") event.preventDefault();
    act(target.dataset.action, target).catch(() => lost(true));
  });

  document.addEventListener("change", (event) => {
    const choice = event.target.closest?.("#lv-queue [data-choice]"), entry = choice?.closest("[data-entry]")?.dataset.entry;
    if (entry) post(`/${entry}/${choice.dataset.choice}/${choice.value}`).then(() => look()).catch(() => lost(true));
  });

  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  // Who closes the page wants nothing more; who reloads it is back before the server minds.
  window.addEventListener("pagehide", () => { navigator.sendBeacon(address("/leave")); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) look(); });
  // Files that were uploaded and that the server has not been told about yet.
  const uploaded = [];
  const takeFiles = (files) => { uploaded.push(...(files ?? [])); };
  const taken = () => uploaded.splice(0);
  window.lightvoiceQueue = { id: () => queueId, look, again: showAgain, mark: window.lightvoiceViewer.mark, cut, asChosen, take: takeFiles, taken };
  look();
})();

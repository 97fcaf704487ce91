// The slim page: sends the chosen file to the page's own server and shows what comes back. HTML comes escaped from the server.
(() => {
  const STATE_MS = 10000, REVOKED_MS = 10000;
  const place = (name) => document.getElementById(`slim-${name}`);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => document.documentElement.classList.toggle("dark", dark.matches);
  paint();
  dark.addEventListener("change", paint);
  const form = place("form");

  async function ask(path, type, body) {
    const options = type ? { method: "POST", headers: { "content-type": type }, body } : { cache: "no-store" };
    const answer = await fetch(path, options);
    return answer.json();
  }
  const unreachable = () => {
    const line = document.createElement("p");
    line.className = "slim-failure";
    line.setAttribute("role", "alert");
    line.textContent = form.dataset.unreachable;
    return line;
  };

  function showState(state) {
    place("light").checked = state.on;
    place("state").innerHTML = state.html;
  }

  async function busy(button, words, work) {
    const said = button.textContent;
    button.disabled = true;
    button.textContent = words;
    try { await work(); } finally {
      button.disabled = false;
      button.textContent = said;
    }
  }

  function asLink(name, blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    return link;
  }

  function offer(downloads, written = null) {
    const tools = place("downloads");
    tools.querySelectorAll("a").forEach((link) => URL.revokeObjectURL(link.href));
    tools.replaceChildren();
    for (const [format, { name, text }] of Object.entries(downloads)) {
      const link = asLink(name, new Blob([text], { type: "text/plain;charset=utf-8" }));
      link.textContent = tools.dataset[format];
      link.dataset.format = format;
      tools.append(link);
    }
    if (written) tools.append(documentButton(written));
  }

  /* A document is written when it is asked for: by a process that takes its memory along. */
  function documentButton({ name, source }) {
    const button = document.createElement("button"), words = place("downloads").dataset;
    button.type = "button";
    button.dataset.format = "docx";
    button.textContent = words.docx;
    button.addEventListener("click", () => busy(button, words.writing, async () => {
      try {
        const answer = await fetch("document", { method: "POST", headers: { "content-type": "application/json" }, body: source });
        if (!answer.ok) {
          button.insertAdjacentHTML("afterend", (await answer.json()).failure);
          return;
        }
        const link = asLink(name, await answer.blob());
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), REVOKED_MS);
      } catch { button.after(unreachable()); }
    }));
    return button;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const file = place("file").files[0], result = place("result");
    if (!file) {
      result.replaceChildren(unreachable());
      result.firstChild.textContent = form.dataset.missing;
      return;
    }
    const chosen = { language: place("language").value, channel: place("channel").value, itn: place("itn").checked };
    const query = new URLSearchParams({ name: file.name, ...chosen });
    place("subtitles").querySelectorAll("input").forEach((field) => query.set(field.name, field.value));
    busy(place("run"), form.dataset.working, async () => {
      offer({});
      try {
        const answer = await ask(`transcribe?${query}`, "application/octet-stream", file);
        result.innerHTML = answer.failure ?? answer.html;
        if (answer.downloads) offer(answer.downloads, answer.document);
        if (answer.state) showState(answer.state);
      } catch { result.replaceChildren(unreachable()); }
    });
  });

  place("light").addEventListener("change", async (event) => {
    try { showState(await ask("lightweight", "application/json", JSON.stringify({ on: event.target.checked }))); } catch { look(); }
  });

  place("measure").addEventListener("click", (event) => busy(event.target, event.target.dataset.working, async () => {
    try {
      const answer = await ask("measure", "application/json", "{}");
      place("saving").innerHTML = answer.failure ?? answer.html;
    } catch { place("saving").replaceChildren(unreachable()); }
  }));

  async function look() {
    if (document.hidden) return;
    try { showState(await ask("state")); } catch { place("state").textContent = form.dataset.unreachable; }
  }
  look();
  setInterval(look, STATE_MS);
})();

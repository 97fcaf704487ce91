// The History tab: asks the page's own server (ui/history/routes.py) for rows as HTML and carries out what is clicked. Everything that
// comes as HTML was escaped by the server; nothing else becomes HTML here. Whose history it is, a cookie says that no script can read.
(() => {
  const TYPED_MS = 250, DRAWN_MS = 100, GOING_ON_MS = 2000;
  const place = (name) => document.getElementById(`lv-history-${name}`);
  let timer = 0, asked = 0, next = null;

  const post = (path, body = {}) => ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  async function ask(path, options = {}) {
    const answer = await fetch(`history${path}`, { cache: "no-store", ...options });
    const news = await answer.json();
    if (news.failure) throw new Error(news.failure);
    if (!answer.ok) throw new Error("");
    return news;
  }

  // An error brings the server's words as HTML; without any, the server was not reached.
  function say(error) {
    if (!place("note")) return;
    if (error.message && !(error instanceof TypeError || error instanceof SyntaxError)) place("note").innerHTML = error.message;
    else place("note").textContent = document.getElementById("lv-history").dataset.lost;
  }

  async function look(before = null) {
    clearTimeout(timer);
    if (!place("rows")) { // Gradio has not drawn the tab yet
      timer = setTimeout(look, DRAWN_MS);
      return;
    }
    const mine = ++asked, query = new URLSearchParams({ q: place("search").value.slice(0, 200) });
    if (before !== null) query.set("before", before);
    try {
      const news = await ask(`?${query}`);
      if (mine === asked) draw(news, before !== null);
      if (mine === asked && news.going_on && place("rows").offsetParent) timer = setTimeout(look, GOING_ON_MS);
    } catch (error) { if (mine === asked) say(error); }
  }

  function draw(news, goesOn) {
    place("who").textContent = news.who;
    const focused = document.activeElement, action = place("note").contains(focused) ? focused.dataset.history : "";
    place("note").innerHTML = news.note;
    if (action) place("note").querySelector(`[data-history="${action}"]`)?.focus();
    if (goesOn) place("rows").insertAdjacentHTML("beforeend", news.rows);
    else if (place("rows").source !== news.rows) place("rows").innerHTML = news.rows; // rows that are the same keep the focus
    place("rows").source = goesOn ? null : news.rows;
    next = news.next;
    place("more").hidden = next === null;
    place("delete-all").hidden = !news.count;
    place("keep").value = news.keep;
    place("choice").hidden = false;
    for (const time of place("rows").querySelectorAll("time:not([data-local])")) {
      time.dataset.local = "";
      time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    }
  }

  async function open(id) {
    await post(`/${id}/open`, { queue: window.lightvoiceQueue.id() });
    document.getElementById("lv-tab-transcribe-button")?.click();
    await window.lightvoiceQueue.look();
    document.getElementById("lv-shown")?.scrollIntoView({ block: "nearest" });
  }

  async function act(button) {
    const action = button.dataset.history, row = button.closest("[data-kept]");
    if (button.dataset.confirm && !window.confirm(button.dataset.confirm)) return;
    if (action === "more") await look(next);
    else if (action === "open") await open(row.dataset.kept);
    else if (action === "delete") {
      const beside = row.nextElementSibling ?? row.previousElementSibling;
      await post(`/${row.dataset.kept}/delete`);
      const id = beside?.dataset.kept;
      await look();
      (document.querySelector(`[data-kept="${id}"] [data-history="delete"]`) ?? place("search")).focus();
    } else if (action === "cancel-going-on") {
      await post("/cancel-going-on");
      await look();
      place("search").focus();
    } else if (action === "delete-all") {
      await post("/delete-all");
      await look();
      place("search").focus();
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#lv-history [data-history]"), link = event.target.closest?.("#lv-history a[download]");
    if (button) act(button).catch(say);
    if (link) link.href = window.lightvoiceQueue.asChosen(link.getAttribute("href").split("?")[0]);
  });
  document.addEventListener("input", (event) => {
    if (event.target.id !== "lv-history-search") return;
    clearTimeout(timer);
    timer = setTimeout(look, TYPED_MS);
  });
  document.addEventListener("change", (event) => {
    if (event.target.id === "lv-history-keep") post("/keep", { keep: event.target.value }).catch((error) => { say(error); });
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && place("rows")?.offsetParent) look(); });
  window.lightvoiceHistory = { look };
})();

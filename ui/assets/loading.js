// Stands at the head of the HTML and runs before anything else: the person's language and colours, the page's modules in one request,
// and the curtain that is drawn aside once the page stands, so that nothing jumps while it is built.
(() => {
  const root = document.documentElement, LOADED_BY_MS = 20000;
  const here = document.currentScript.dataset;

  /* Choices of the person, kept by the browser; without one the browser's own settings decide. */
  const kept = (name) => document.cookie.split("; ").find((one) => one.startsWith(`${name}=`))?.split("=")[1] ?? "";
  const keep = (name, value) => {
    const base = new URL(document.baseURI).pathname.replace(/[^/]*$/, "");
    document.cookie = `${name}=${value}; path=${base}; samesite=lax; max-age=${value ? 31536000 : 0}`;
  };
  const language = kept("lightvoice-language"), theme = kept("lightvoice-theme");
  if (language === "en" || language === "zh") { // Gradio goes by the browser's language
    const code = language === "zh" ? "zh-CN" : "en";
    Object.defineProperty(navigator, "language", { get: () => code });
    Object.defineProperty(navigator, "languages", { get: () => [code] });
  }
  root.lang = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh-CN" : "en";

  const asked = window.matchMedia.bind(window), ofTheSystem = asked("(prefers-color-scheme: dark)"), waiting = new Set();
  let chosen = theme;
  const isDark = () => (chosen ? chosen === "dark" : ofTheSystem.matches);
  const colour = () => {
    root.classList.toggle("lv-dark", isDark());
    waiting.forEach((tell) => tell({ matches: isDark() }));
  };
  window.matchMedia = (query) => (query !== "(prefers-color-scheme: dark)" ? asked(query) : {
    media: query,
    get matches() { return isDark(); },
    addEventListener: (_, tell) => waiting.add(tell),
    removeEventListener: (_, tell) => waiting.delete(tell),
  });
  ofTheSystem.addEventListener("change", colour);
  colour();
  window.lightvoiceChoices = {
    language: () => language,
    theme: () => chosen,
    setLanguage: (code) => { keep("lightvoice-language", code); window.location.reload(); },
    setTheme: (name) => { chosen = name; keep("lightvoice-theme", name); colour(); },
  };

  /* The curtain. */
  const DRAWN = ["#lv-head .lv-header", "#lv-light-status .lv-light-status", "#lv-queue", "#lv-shown", "#lv-banner .lv-banner"];
  const watching = new MutationObserver(() => { if (DRAWN.every((one) => document.querySelector(one))) open(); });
  const late = setTimeout(open, LOADED_BY_MS);
  watching.observe(root, { childList: true, subtree: true });
  function open() {
    watching.disconnect();
    clearTimeout(late);
    window.dispatchEvent(new Event("lightvoice-drawn"));
    requestAnimationFrame(() => requestAnimationFrame(() => { // what was drawn last has its size now
      root.classList.remove("lv-loading");
      document.getElementById("lv-loading")?.remove();
    }));
  }
  root.classList.add("lv-loading");

  /* Files that come before the page's own script: it takes them (ui/assets/page.js). */
  const early = window.lightvoiceEarly = { files: [], over: false };
  const took = (files) => {
    early.files.push(...files);
    const label = document.querySelector("#lv-loading label span");
    if (label) label.textContent = early.files.map((file) => file.name).join(", ");
  };
  document.addEventListener("change", (event) => { if (!early.over && event.target.id === "lv-early-files") took(event.target.files); });
  document.addEventListener("dragover", (event) => { if (!early.over) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (early.over) return;
    event.preventDefault();
    took(event.dataTransfer?.files ?? []);
  });

  /* The modules that the first view needs, from one request. Addresses stay Gradio's own: an import map leads them to what came. */
  const at = (name) => new URL(`assets/${name}`, document.baseURI).href;
  const asScript = (source) => {
    const script = document.createElement("script");
    script.type = "module";
    script.src = source;
    document.head.append(script);
  };
  async function styled() { // by the script, for a sheet in the HTML would hold back the first thing to be seen
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = at(here.styles);
    const loaded = new Promise((done) => { sheet.onload = sheet.onerror = done; });
    document.head.append(sheet);
    return loaded;
  }
  const parsed = () => (document.readyState === "loading" ? new Promise((done) => { document.addEventListener("DOMContentLoaded", done); }) : null);
  async function load() {
    const sheet = styled();
    if (!HTMLScriptElement.supports?.("importmap")) throw new Error("no import maps");
    const sources = await (await fetch(at(here.modules))).json(), imports = {};
    for (const [name, source] of Object.entries(sources)) {
      const text = source
        .replaceAll("import.meta.url", JSON.stringify(at(name)))
        .replace(/(["'`])\.\/([\w.-]+\.(?:js|css))\1/g, (_, quote, file) => JSON.stringify(at(file)));
      imports[at(name)] = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      const known = document.createElement("link"); // tells the module loader not to ask for it
      known.rel = "lightvoice-loaded";
      known.href = at(name);
      document.head.append(known);
    }
    const map = document.createElement("script");
    map.type = "importmap";
    map.textContent = JSON.stringify({ imports });
    document.head.append(map);
    await Promise.all([sheet, parsed()]);
    return asScript(imports[at(here.entry)]);
  }
  if (here.modules) load().catch(async () => {
    await parsed();
    asScript(at(here.entry));
  });
})();

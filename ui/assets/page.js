// Small things of the whole page: what the style sheet needs to know, the person's language and colours, recordings dropped anywhere.
(() => {
  const root = document.documentElement, AGAIN_MS = 100, TRIES = 600, PHONE_PX = 700;
  // Browsers hide the microphone from pages that are neither HTTPS nor localhost; the page says so (.lv-mic-hint).
  if (!window.isSecureContext) root.classList.add("lv-insecure");

  /* Language and colours. */
  document.addEventListener("toggle", (event) => {
    if (event.target.id !== "lv-settings-menu") return;
    document.getElementById("lv-choose-language").value = window.lightvoiceChoices.language();
    document.getElementById("lv-choose-theme").value = window.lightvoiceChoices.theme();
  }, true);
  document.addEventListener("change", (event) => {
    if (event.target.id === "lv-choose-language") window.lightvoiceChoices.setLanguage(event.target.value);
    if (event.target.id === "lv-choose-theme") window.lightvoiceChoices.setTheme(event.target.value);
    if (event.target.id === "lv-early-files") give(event.target.files); // the curtain is still there
  });
  document.addEventListener("click", (event) => {
    const menu = document.getElementById("lv-settings-menu");
    if (menu?.open && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const menu = document.getElementById("lv-settings-menu");
    if (event.key === "Escape" && menu?.open) { menu.open = false; menu.querySelector("summary").focus(); }
  });

  /* On a phone the options are folded, before the page is shown: what one came for stands in the first screen. */
  window.addEventListener("lightvoice-drawn", () => {
    if (window.innerWidth <= PHONE_PX) document.querySelectorAll(".lv-options button.label-wrap.open, #lv-resources-card button.label-wrap.open").forEach((one) => one.click());
  });

  /* Files go to the Transcribe tab's box as if they had been dropped there; while an upload runs the box has no input, and they wait. */
  async function give(files) {
    const all = new DataTransfer();
    for (const file of files) all.items.add(file);
    if (!all.files.length) return false;
    for (let tried = 0; tried < TRIES; tried += 1) {
      const input = document.querySelector("#lv-transcribe-audio input[type=file]");
      if (input && window.lightvoiceQueue) {
        input.files = all.files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
        return true;
      }
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
    return false;
  }
  window.lightvoiceGive = give;
  window.lightvoiceEarly.over = true;
  give(window.lightvoiceEarly.files.splice(0));

  /* Dropped anywhere: outside of the boxes that take files themselves. */
  const brings = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const takesItself = (event) => event.target.closest?.("#lv-transcribe-audio, #lv-compare-audio, #lv-models-forms");
  let inside = 0;
  const mark = (count) => { inside = Math.max(0, count); root.classList.toggle("lv-dropping", inside > 0); };
  document.addEventListener("dragenter", (event) => { if (brings(event)) mark(inside + 1); });
  document.addEventListener("dragleave", (event) => { if (brings(event)) mark(inside - 1); });
  document.addEventListener("dragover", (event) => { if (brings(event) && !takesItself(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!brings(event)) return;
    mark(0);
    if (takesItself(event)) return;
    event.preventDefault(); // the browser would open the file in place of the page
    const dropped = [...event.dataTransfer.files];
    document.querySelector(".tab-container [role=tab]")?.click();
    give(dropped);
  });
})();

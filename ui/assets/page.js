// Runs before the page is drawn. Marks what the style sheet and screen readers need to know; asks the network for nothing.
(() => {
  const root = document.documentElement;
  root.lang = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh-CN" : "en";
  // Browsers hide the microphone from pages that are neither HTTPS nor localhost; the page says so (.lv-mic-hint).
  if (!window.isSecureContext) root.classList.add("lv-insecure");
})();

// What the scripts of the page share; components.py puts it before each of them.
// Whatever a user wrote (queries, file names, answers) enters the page through textContent only: it is never markup.
const find = (name) => element.querySelector(`.tg-${name}`);
const isNarrow = () => matchMedia("(max-width: 720px)").matches;

function make(tag, className, ...inside) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...inside.filter((part) => part !== undefined));
  return made;
}

function button(className, text, onclick) {
  const made = make("button", className, text);
  made.type = "button";
  made.onclick = onclick;
  return made;
}

// ---- Tabs: each shows its own result. page.py calls tgOpenTab when one is chosen. ---------------------------------

window.tgTab ??= "find";
window.tgOpenTab ??= (name) => {
  window.tgTab = name;
  window.dispatchEvent(new Event("tg-tab"));
};

window.tgPressed ??= addEventListener("pointerdown", () => (window.tgPressed = true), { capture: true, once: true }) ?? false;

// On a phone the result lies below the buttons. A page that was only opened stays where it is.
function bringIntoView(node) {
  if (!isNarrow() || !window.tgPressed) return;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  node.scrollIntoView({ block: "start", behavior: isCalm ? "auto" : "smooth" });
}

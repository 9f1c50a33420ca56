// One line that says what is going on; `props.value` is {text, kind, share, tab}. The text is never markup.
// What is under way is shown on every tab, with the button that ends it; an end is shown on its own tab.
let underWay = null;
let ended = {}; // by tab; "" is for those that have none of their own

function take() {
  const value = props.value || {};
  const begins = value.kind === "busy" && !underWay;
  underWay = value.kind === "busy" ? value : null;
  if (value.text && !underWay) ended = value.tab ? { ...ended, [value.tab]: value } : { "": value };
  draw();
  if (begins) bringIntoView(find("status"));
}

function draw() {
  const value = underWay || ended[window.tgTab] || ended[""] || {};
  const line = find("status");
  line.hidden = !value.text;
  line.dataset.kind = value.kind || "";
  line.setAttribute("role", value.kind === "error" ? "alert" : "status");
  find("status-text").textContent = value.text || "";
  const bar = element.querySelector("progress");
  bar.hidden = find("cancel").hidden = !underWay;
  if (typeof value.share === "number") bar.value = value.share;
  else bar.removeAttribute("value");
}

find("cancel").onclick = () => trigger("cancel");
window.addEventListener("tg-tab", draw);
watch("value", take);
take();

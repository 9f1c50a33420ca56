// One line that says what is going on; `props.value` is {text, kind, share}. The text is never markup.
function draw() {
  const value = props.value || {};
  const line = element.querySelector(".tg-status");
  const begins = value.kind === "busy" && line.dataset.kind !== "busy";
  line.dataset.kind = value.kind || "";
  line.setAttribute("role", value.kind === "error" ? "alert" : "status");
  element.querySelector(".tg-status-text").textContent = value.text || "";
  const bar = element.querySelector("progress");
  bar.hidden = value.kind !== "busy";
  if (typeof value.share === "number") bar.value = value.share;
  else bar.removeAttribute("value");
  if (begins) line.scrollIntoView({ block: "nearest", behavior: "smooth" }); // on a phone it lies below the buttons
}
watch("value", draw);
draw();

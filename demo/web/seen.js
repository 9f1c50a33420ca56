// What the model was given, in its order: texts as texts, frames as pictures; then the question and the raw answer.
function part(item) {
  if (item.src === undefined) return make("code", "tg-seen-text", item.text);
  const image = make("img", "");
  image.src = item.src;
  image.alt = image.title = `frame at ${item.time_s} s`;
  return image;
}

function draw() {
  const value = props.value || {};
  find("seen").hidden = window.tgTab !== "look" || !value.parts;
  find("seen-facts").textContent = value.facts || "";
  find("seen-parts").replaceChildren(...(value.parts || []).map(part));
  const lines = (value.answer || []).flatMap(([name, text]) => [make("dt", "", name), make("dd", "", text)]);
  find("seen-answer").replaceChildren(...lines);
}

window.addEventListener("tg-tab", () => (find("seen").hidden = window.tgTab !== "look" || !props.value?.parts));
watch("value", draw);
draw();

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
  element.querySelector(".tg-seen-facts").textContent = value.facts || "";
  element.querySelector(".tg-seen-parts").replaceChildren(...(value.parts || []).map(part));
  element.querySelector(".tg-seen-answer").textContent = value.answer || "";
}
watch("value", draw);
draw();

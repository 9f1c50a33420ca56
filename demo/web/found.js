// What was found in the library: a card for each place; it opens the video with its query in the tab Find.
function card(data) {
  const image = make("img", "");
  image.src = data.poster;
  image.alt = "";
  const words = make("span", "tg-found-words", make("strong", "", data.video), data.times.join(", "), make("br", ""), make("span", "tg-found-note", data.note));
  const taken = button("tg-found-card", image, () => {
    props.value = { ...props.value, taken: data.video };
    trigger("take");
    document.querySelector("#tg-tabs [role=tab]").click();
  });
  taken.append(words);
  return make("li", "", taken);
}

function show() {
  find("found").hidden = window.tgTab !== "library" || !props.value?.cards;
}

function draw() {
  const { query, cards, notes } = props.value || {};
  show();
  if (!cards) return;
  find("found-title").textContent = cards.length ? `“${query}”` : `“${query}” happens nowhere in the library, says the model.`;
  find("found-notes").replaceChildren(...(notes || []).map((note) => make("li", "", note)));
  find("cards").replaceChildren(...cards.map(card));
}

window.addEventListener("tg-tab", show);
watch("value", draw);
draw();

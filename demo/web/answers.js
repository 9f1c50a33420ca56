// What stands above the timeline: the options of a question, or the direction score, as bars with their numbers.
function shareBar(share) {
  const bar = make("span", "tg-share", make("i", ""));
  bar.firstChild.style.width = `${(100 * share).toFixed(2)}%`;
  return bar;
}

function drawChoice({ question, options }) {
  const list = make("ol", "tg-options");
  for (const option of options) {
    const node = make("li", option.is_chosen ? "tg-option tg-is-chosen" : "tg-option");
    node.append(make("span", "tg-letter", option.letter), make("span", "tg-option-text", option.text));
    if (option.is_chosen) node.append(make("span", "tg-answer", "the model's answer"));
    node.append(make("span", "tg-percent", `${(100 * option.share).toFixed(0)} %`), shareBar(option.share));
    list.append(node);
  }
  return make("section", "tg-card", make("h2", "tg-card-title", question), list);
}

function drawScore({ value, text }) {
  const card = make("section", "tg-card tg-score", make("h2", "tg-card-title", "Direction score"));
  if (value !== null) {
    card.firstChild.append(make("span", "tg-percent", value.toFixed(2)));
    card.append(shareBar(value), make("p", "tg-ends", make("span", "", "0: the same moment"), make("span", "", "1: not found again")));
  }
  card.append(make("p", "tg-verdict", text));
  return card;
}

function drawAnswers(value) {
  const cards = [];
  if (value.choice) cards.push(drawChoice(value.choice));
  if (value.score) cards.push(drawScore(value.score));
  return cards;
}

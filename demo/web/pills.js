// A pill for each span: its times to click and to copy, and the clip to save. Pills stand under their bars.
const GAP_PX = 6;

function pill(span, { play, save, what }) {
  const times = spanText(span);
  const node = make("span", "tg-pill");
  const copy = button("tg-copy", "Copy", () => copyText(times, copy));
  copy.setAttribute("aria-label", `Copy ${times}`);
  const go = button("tg-play", `▶ ${times}`, play);
  go.setAttribute("aria-label", `Play ${times}: ${what}`);
  node.append(go, copy);
  if (save) {
    const saving = button("tg-save", "mp4", () => save(saving));
    saving.setAttribute("aria-label", `Save ${times} as an mp4 clip`);
    node.append(saving);
  }
  return node;
}

// Place each pill where its bar begins; one that would lie on another goes a line further down.
// shares: where the bars begin, from 0 to 1.
function placePills(box, shares) {
  const width = box.clientWidth;
  if (!width) return;
  const lines = []; // where the last pill of each line ends
  const places = [...box.children].map((node, number) => ({ node, share: shares[number] })).sort((a, b) => a.share - b.share);
  for (const { node, share } of places) {
    const left = Math.max(0, Math.min(share * width, width - node.offsetWidth));
    let line = lines.findIndex((end) => end + GAP_PX <= left);
    if (line < 0) line = lines.length;
    lines[line] = left + node.offsetWidth;
    node.style.left = `${left}px`;
    node.style.top = `${line * (node.offsetHeight + GAP_PX)}px`;
  }
  box.style.height = `${lines.length * (box.firstChild.offsetHeight + GAP_PX)}px`;
}

async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = make("textarea", "tg-clipboard", text); // for pages that are no "secure context"
    element.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  const said = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = said), 1500);
}

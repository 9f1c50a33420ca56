// The player with its timelines. `props.value` is what views.py `player` makes; each tab keeps the last of its own.
const video = element.querySelector("video");
const STEP_S = 0.1; // of playing backwards, which no browser can do by itself
const HINTS = {
  find: "Nothing was looked for in this video yet.",
  ask: "Nothing was asked about this video yet.",
  arrow: "Nothing was compared in this video yet.",
  look: "Press the button to see what the model is given.",
};
let stopAt = null; // where the span that plays ends, in the file's seconds
let backwards = null; // the timer that plays a span backwards
let preview = null; // the span whose frame is shown before it plays
let shown = { id: null, drawn: "" };
let results = { "": {} }; // by tab; "" is the video of which nothing was asked
let tracks = [];

const say = (text) => (find("spoken").textContent = text);

// ---- Playing -----------------------------------------------------------------------------------------------------

function halt() {
  stopAt = null;
  clearInterval(backwards);
  backwards = null;
  setPreview(null);
}

function seek(timeS) {
  halt();
  video.currentTime = timeS;
}

function playSpan([startS, endS]) {
  halt();
  video.currentTime = startS;
  stopAt = endS;
  video.play().catch(() => {});
}

// [startS, endS] of the file, from its end to its start.
function playBackwards([startS, endS]) {
  halt();
  video.pause();
  let timeS = endS;
  backwards = setInterval(() => {
    timeS = Math.max(startS, timeS - STEP_S);
    video.currentTime = timeS;
    if (timeS <= startS) halt();
  }, STEP_S * 1000);
}

function stopAtEnd() {
  if (stopAt === null || video.currentTime < stopAt) return;
  const end = stopAt;
  halt();
  video.pause();
  video.currentTime = end;
}

// Show the frame in the middle of a span; whatever starts the video then plays the span.
function setPreview(row) {
  const span = row?.spans[0];
  preview = span || null;
  const over = find("preview");
  over.hidden = !span;
  if (!span) return;
  video.pause();
  video.currentTime = (span[0] + span[1]) / 2;
  over.replaceChildren("▶ ", make("strong", "", spanText(span)), ` ${row.label}`);
}

const actions = {
  seek,
  playSpan,
  playBackwards,
  saveClip,
  now: () => video.currentTime,
  playOrPause: () => (video.paused ? video.play().catch(() => {}) : video.pause()),
};

// ---- Drawing -----------------------------------------------------------------------------------------------------

function take() {
  const value = props.value || {};
  if (value.id !== results[""].id) {
    results = { "": { ...value, tab: null, tracks: [], notes: [], choice: null, score: null, downloads: null } };
    openVideo(value);
  }
  if (value.tab) results[value.tab] = value;
  draw();
  if (value.tab && value.tab === window.tgTab) bringIntoView(find("stage"));
}

function openVideo(value) {
  halt();
  find("empty").hidden = Boolean(value.src);
  find("stage").hidden = !value.src;
  find("unplayable").hidden = true;
  video.setAttribute("aria-label", `Video: ${value.name || ""}`);
  if (value.src) video.src = (window.gradio_config?.root || "") + value.src;
  else video.removeAttribute("src");
}

function draw() {
  const value = results[window.tgTab] || results[""];
  const drawn = JSON.stringify([value.id, value.tab, value.tracks, value.choice, value.score]);
  if (drawn === shown.drawn) return drawFoot(value);
  const bare = [{ title: "", backwards: false, rows: [] }];
  const wanted = value.tracks?.length ? value.tracks : bare;
  tracks = value.src ? wanted.map((track) => new Track(track, value, actions)) : [];
  find("zoom-keys").hidden = !tracks.some((track) => track.zoom);
  say("");
  find("notes").replaceChildren(...(value.notes || []).map((note) => make("li", "", `Note: ${note}.`)));
  find("answers").replaceChildren(...(value.tab ? drawAnswers(value) : [make("p", "tg-hint", HINTS[window.tgTab])]));
  find("tracks").replaceChildren(...tracks.map((track) => track.node));
  find("answers").hidden = !value.src;
  const first = (value.tracks || []).flatMap((track) => track.rows).find((row) => row.spans.length);
  const target = JSON.stringify([value.id, value.tab, first?.spans[0]]);
  if (target !== shown.target) {
    halt();
    if (first) setPreview(first);
  }
  shown = { drawn, target };
  drawFoot(value);
}

// ---- Saving ------------------------------------------------------------------------------------------------------

function drawFoot(value) {
  const files = Object.entries(value.downloads || {});
  find("foot").hidden = !value.src;
  const stem = (value.name || "video").replace(/\.[^.]*$/, "");
  const links = files.map(([kind, text]) => {
    const link = make("a", "tg-download", kind.toUpperCase());
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = `${stem}.${value.model}.moments.${kind}`;
    return link;
  });
  const copy = button("tg-download", "Copy all times", () => copyText(allTimes(value), copy));
  find("downloads").replaceChildren(...(files.length ? [make("span", "", "Save the answers:"), ...links, copy] : []));
}

// One line a span: the query, its start and its end in seconds, with tabs between them, as tables take them.
function allTimes(value) {
  const rows = value.tracks.filter((track) => !track.backwards).flatMap((track) => track.rows);
  return rows.flatMap((row) => row.spans.map((span) => [row.label, ...span.map((t) => t.toFixed(2))].join("\t"))).join("\n");
}

async function saveClip(saving, [startS, endS]) {
  saving.disabled = true;
  try {
    const made = await server.cut(results[""].id, startS, endS);
    if (made.error) return say(made.error);
    const link = make("a", "");
    link.href = (window.gradio_config?.root || "") + made.src;
    link.download = ""; // the name that the server gave it
    document.body.append(link);
    link.click();
    link.remove();
    say(`Saved the clip from ${clock(startS)} to ${clock(endS)}.`);
  } catch {
    say("The clip could not be made; the server did not answer. Try again.");
  } finally {
    saving.disabled = false;
  }
}

// ---- Start -------------------------------------------------------------------------------------------------------

video.addEventListener("timeupdate", stopAtEnd); // still comes when the page is hidden
video.addEventListener("error", () => (find("unplayable").hidden = !video.getAttribute("src")));
video.addEventListener("play", () => preview && playSpan(preview));
find("preview").onclick = () => preview && playSpan(preview);
window.addEventListener("tg-tab", draw);
(function everyFrame() {
  stopAtEnd();
  tracks.forEach((track) => track.movePlayhead(video.currentTime));
  if (element.isConnected) requestAnimationFrame(everyFrame);
})();
watch("value", take);
take();

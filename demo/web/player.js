// The player and its timelines. `props.value` is what views.py `player` makes.
const find = (name) => element.querySelector(`.tg-${name}`);
const video = find("video");
const STEP_S = 0.1; // of playing backwards, which no browser can do by itself
let stopAt = null; // where the span that plays ends, in the file's seconds
let backwards = null; // the timer that plays a span backwards
let shown = { src: null, tracks: "" };

function clock(timeS) {
  const tenths = Math.max(0, Math.round(timeS * 10));
  const seconds = ((tenths % 600) / 10).toFixed(1);
  return tenths < 600 ? `${seconds} s` : `${Math.floor(tenths / 600)}:${seconds.padStart(4, "0")}`;
}

function say(text) {
  find("spoken").textContent = text;
}

// ---- Playing -----------------------------------------------------------------------------------------------------

function halt() {
  stopAt = null;
  clearInterval(backwards);
  backwards = null;
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

// ---- Drawing -----------------------------------------------------------------------------------------------------

// A track has its own time axis: that of the file, or of the file played backwards.
class Track {
  constructor(data, durationS) {
    this.data = data;
    this.durationS = durationS;
    this.node = make("section", data.backwards ? "tg-track tg-backwards" : "tg-track");
    if (data.title) this.node.append(make("h3", "tg-title", data.title));
    this.plot = make("div", "tg-plot");
    this.playhead = make("div", "tg-playhead");
    this.pointer = make("div", "tg-pointer");
    this.pointer.hidden = true;
    data.rows.forEach((row) => this.plot.append(this.row(row)));
    this.plot.append(this.ruler(), this.strip(), this.playhead, this.pointer);
    this.node.append(this.plot);
    this.listen();
  }

  share(timeS) {
    return `${(100 * Math.min(1, Math.max(0, timeS / this.durationS))).toFixed(3)}%`;
  }

  fileTime(timeS) {
    return this.data.backwards ? this.durationS - timeS : timeS;
  }

  play([startS, endS]) {
    if (this.data.backwards) playBackwards([this.fileTime(endS), this.fileTime(startS)]);
    else playSpan([startS, endS]);
  }

  row(row) {
    const node = make("div", `tg-row tg-colour-${row.colour}`);
    const head = make("div", "tg-head");
    head.append(make("span", "tg-label", row.label), make("span", "tg-note", row.note));
    const lane = make("div", "tg-lane");
    const chips = make("div", "tg-chips");
    row.spans.forEach((span) => {
      const times = `${clock(span[0])} – ${clock(span[1])}`;
      const bar = make("button", "tg-bar");
      bar.type = "button";
      bar.title = times;
      bar.dataset.start = span[0];
      bar.dataset.end = span[1];
      bar.setAttribute("aria-label", `Play ${times}: ${row.label}`);
      bar.style.left = this.share(span[0]);
      bar.style.width = this.share(span[1] - span[0]);
      bar.onclick = () => this.play(span);
      lane.append(bar);
      chips.append(this.chip(row, span, times));
    });
    if (!row.spans.length) chips.append(make("span", "tg-none", row.none));
    node.append(head, lane, chips);
    return node;
  }

  chip(row, span, times) {
    const chip = make("span", "tg-chip");
    const play = make("button", "tg-play", `▶ ${times}`);
    play.type = "button";
    play.onclick = () => this.play(span);
    chip.append(play);
    if (!this.data.backwards) {
      const save = make("button", "tg-save", "mp4");
      save.type = "button";
      save.setAttribute("aria-label", `Download ${times} as an mp4 clip`);
      save.onclick = () => saveClip(save, span);
      chip.append(save);
    }
    return chip;
  }

  ruler() {
    const ruler = make("div", "tg-ruler");
    const count = this.node.isConnected || window.innerWidth > 600 ? 8 : 4;
    const step = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((s) => this.durationS / s <= count) || 1800;
    for (let timeS = 0; timeS <= this.durationS - step / 3; timeS += step) {
      const tick = make("span", "tg-tick", clock(timeS).replace(".0", ""));
      tick.style.left = this.share(timeS);
      ruler.append(tick);
    }
    return ruler;
  }

  strip() {
    const strip = make("div", "tg-strip");
    this.data.thumbnails.forEach((thumbnail) => {
      const frame = make("figure", "tg-thumbnail");
      const image = make("img", "");
      image.src = thumbnail.src;
      image.alt = "";
      frame.append(image, make("figcaption", "", clock(thumbnail.time_s)));
      frame.onclick = () => seek(this.fileTime(thumbnail.time_s));
      strip.append(frame);
    });
    return strip;
  }

  // The whole plot is a slider for the keyboard; the pointer shows the time under it and a click goes there.
  listen() {
    const plot = this.plot;
    plot.tabIndex = 0;
    plot.setAttribute("role", "slider");
    plot.setAttribute("aria-label", this.data.title || "Timeline: arrow keys move, space plays");
    plot.setAttribute("aria-valuemin", 0);
    plot.setAttribute("aria-valuemax", this.durationS.toFixed(1));
    const timeAt = (event) => {
      const box = plot.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this.durationS;
    };
    plot.onpointermove = (event) => {
      const timeS = timeAt(event);
      this.pointer.hidden = false;
      this.pointer.textContent = clock(timeS);
      this.pointer.style.left = this.share(timeS);
    };
    plot.onpointerleave = () => (this.pointer.hidden = true);
    plot.onclick = (event) => {
      if (event.target.matches(".tg-lane, .tg-ruler, .tg-tick")) seek(this.fileTime(timeAt(event)));
    };
    plot.onkeydown = (event) => this.key(event);
  }

  key(event) {
    if (event.target !== this.plot) return;
    const direction = this.data.backwards ? -1 : 1;
    const step = event.shiftKey ? 5 : 0.5;
    const moves = {
      ArrowRight: video.currentTime + direction * step,
      ArrowLeft: video.currentTime - direction * step,
      Home: this.fileTime(0),
      End: this.fileTime(this.durationS),
    };
    if (event.key in moves) seek(Math.min(this.durationS, Math.max(0, moves[event.key])));
    else if (event.key === " ") video.paused ? video.play().catch(() => {}) : video.pause();
    else return;
    event.preventDefault();
  }

  movePlayhead() {
    const timeS = this.fileTime(video.currentTime);
    this.playhead.style.left = this.share(timeS);
    this.plot.setAttribute("aria-valuenow", timeS.toFixed(1));
    this.plot.setAttribute("aria-valuetext", clock(timeS));
  }
}

let tracks = [];

function draw() {
  const value = props.value || {};
  const address = value.src ? (window.gradio_config?.root || "") + value.src : null;
  find("empty").hidden = Boolean(address);
  if (address !== shown.src) {
    halt();
    find("unplayable").hidden = true;
    video.hidden = !address;
    if (address) video.src = address;
    else video.removeAttribute("src");
  }
  const drawn = JSON.stringify([value.tracks, value.duration_s]);
  if (drawn !== shown.tracks) {
    tracks = (value.tracks || []).map((track) => new Track(track, value.duration_s));
    say("");
    find("tracks").replaceChildren(...tracks.map((track) => track.node));
  }
  shown = { src: address, tracks: drawn };
  drawDownloads(value);
}

// ---- Downloads ---------------------------------------------------------------------------------------------------

function drawDownloads(value) {
  const box = find("downloads");
  const files = Object.entries(value.downloads || {});
  box.hidden = !files.length;
  box.replaceChildren(make("span", "", "Download the answers:"));
  const stem = (value.name || "video").replace(/\.[^.]*$/, "");
  for (const [kind, text] of files) {
    const link = make("a", "tg-download", kind.toUpperCase());
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = `${stem}.${value.model}.moments.${kind}`;
    box.append(link);
  }
}

async function saveClip(button, [startS, endS]) {
  button.disabled = true;
  try {
    const made = await server.cut(props.value.id, startS, endS);
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
    button.disabled = false;
  }
}

// ---- Start -------------------------------------------------------------------------------------------------------

video.addEventListener("timeupdate", stopAtEnd); // still comes when the page is hidden
video.addEventListener("error", () => (find("unplayable").hidden = !video.getAttribute("src")));
(function everyFrame() {
  stopAtEnd();
  tracks.forEach((track) => track.movePlayhead());
  if (element.isConnected) requestAnimationFrame(everyFrame);
})();
watch("value", draw);
draw();

// A timeline: rows of bars over an axis and a strip of frames. Its axis is that of the file, or of the file played
// backwards. actions: what a click does ({seek, playSpan, playBackwards, saveClip, playOrPause, now}).
class Track {
  constructor(data, value, actions) {
    Object.assign(this, { data, actions, durationS: value.duration_s, lanes: [], boxes: [] });
    this.node = make("section", data.backwards ? "tg-track tg-backwards" : "tg-track");
    if (data.title) this.node.append(make("h3", "tg-title", data.title));
    this.plot = make("div", "tg-plot");
    this.pointer = make("div", "tg-pointer");
    this.pointer.hidden = true;
    this.plot.append(...data.rows.map((row) => this.row(row)), this.axis(), this.strip(value.strip || []), this.pointer);
    if (this.durationS >= ZOOM_FROM_S) {
      this.zoom = new Zoom(this);
      this.node.append(this.zoom.box, this.zoom.node);
    } else this.node.append(this.plot);
    this.listen();
    new ResizeObserver(() => this.layOut()).observe(this.plot);
  }

  share(timeS) {
    return Math.min(1, Math.max(0, timeS / this.durationS));
  }

  percent(timeS) {
    return `${(100 * this.share(timeS)).toFixed(3)}%`;
  }

  fileTime(timeS) {
    return this.data.backwards ? this.durationS - timeS : timeS;
  }

  play([startS, endS]) {
    if (this.data.backwards) this.actions.playBackwards([this.fileTime(endS), this.fileTime(startS)]);
    else this.actions.playSpan([startS, endS]);
  }

  row(row) {
    const node = make("div", `tg-row tg-colour-${row.colour}`);
    const lane = make("div", "tg-lane", this.mark());
    const box = make("div", "tg-pills");
    for (const span of row.spans) {
      lane.append(this.bar(row, span));
      const save = this.data.backwards ? null : (saving) => this.actions.saveClip(saving, span);
      box.append(pill(span, { play: () => this.play(span), save, what: row.label }));
    }
    if (row.spans.length) this.boxes.push([box, row.spans.map(([startS]) => this.share(startS))]);
    node.append(make("div", "tg-row-head", make("span", "tg-label", row.label), make("span", "tg-note", row.note)), lane);
    node.append(row.spans.length ? box : make("p", "tg-none", row.none));
    if (row.looks?.length) node.append(this.looks(row));
    return node;
  }

  // Where a search looked: darker where more speaks for a window, a scan's below, close looks above.
  looks(row) {
    const counts = row.looks.filter((look) => look.kind === "close").length;
    const lane = make("div", "tg-looks");
    lane.setAttribute("role", "img");
    lane.setAttribute("aria-label", `${row.looks.length} windows looked at, ${counts} closely: ${row.label}`);
    for (const { window: [startS, endS], score, kind } of row.looks) {
      const look = make("i", `tg-look tg-look-${kind}`);
      look.title = `${spanText([startS, endS])}: ${kind === "close" ? "looked at closely" : kind}, ${Math.round(100 * score)} %`;
      look.style.left = this.percent(startS);
      look.style.width = this.percent(endS - startS);
      look.style.opacity = (0.12 + 0.88 * score).toFixed(2);
      lane.append(look);
    }
    return lane;
  }

  bar(row, span) {
    const bar = button("tg-bar", "", () => this.play(span));
    bar.title = spanText(span);
    [bar.dataset.start, bar.dataset.end] = span;
    bar.setAttribute("aria-label", `Play ${spanText(span)}: ${row.label}`);
    bar.tabIndex = -1; // its pill does the same
    bar.style.left = this.percent(span[0]);
    bar.style.width = this.percent(span[1] - span[0]);
    return bar;
  }

  // A piece of the playhead: behind the bars of a lane, above the numbers of the axis; it covers nothing.
  mark() {
    const mark = make("i", "tg-playhead");
    this.lanes.push(mark);
    return mark;
  }

  axis() {
    this.slider = make("div", "tg-axis", this.mark());
    this.drawTicks(1);
    return this.slider;
  }

  // zoom: how many times wider than its box the plot is.
  drawTicks(zoom) {
    this.slider.querySelectorAll(".tg-tick").forEach((tick) => tick.remove());
    const count = (isNarrow() ? 4 : 8) * zoom;
    const step = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((s) => this.durationS / s <= count) || 1800;
    const times = [];
    for (let timeS = 0; timeS < this.durationS - step * 0.6; timeS += step) times.push(timeS);
    const end = this.tick(this.durationS, clock(this.durationS));
    end.classList.add("tg-end");
    this.slider.append(...times.map((timeS) => this.tick(timeS, shortClock(timeS))), end);
  }

  nowShare() {
    return this.share(this.data.backwards ? this.durationS - this.actions.now() : this.actions.now());
  }

  tick(timeS, text) {
    const tick = make("span", "tg-tick", text);
    tick.style.left = this.percent(timeS);
    return tick;
  }

  strip(thumbnails) {
    const shown = this.data.backwards ? [...thumbnails].reverse() : thumbnails;
    const frames = shown.map((thumbnail) => {
      const image = make("img", "");
      image.src = thumbnail.src;
      image.alt = "";
      const frame = make("figure", "tg-thumbnail", image, make("figcaption", "", clock(this.fileTime(thumbnail.time_s))));
      frame.onclick = () => this.actions.seek(thumbnail.time_s);
      return frame;
    });
    return make("div", "tg-strip", ...frames);
  }

  layOut() {
    this.boxes.forEach(([box, shares]) => placePills(box, shares));
  }

  // The axis is a slider for the keyboard; the pointer shows the time under it and a click goes there.
  listen() {
    const { plot, slider } = this;
    slider.tabIndex = 0;
    slider.setAttribute("role", "slider");
    slider.setAttribute("aria-label", this.data.title ? `Timeline: ${this.data.title}` : "Timeline");
    slider.setAttribute("aria-valuemin", 0);
    slider.setAttribute("aria-valuemax", this.durationS.toFixed(1));
    const timeAt = (event) => {
      const box = plot.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this.durationS;
    };
    plot.onpointermove = (event) => {
      this.pointer.hidden = event.pointerType === "touch" || !event.target.closest(".tg-lane, .tg-axis, .tg-strip");
      this.pointer.textContent = clock(timeAt(event));
      this.pointer.style.left = this.percent(timeAt(event));
      this.pointer.style.top = `${event.target.getBoundingClientRect().top - plot.getBoundingClientRect().top - 24}px`;
    };
    plot.onpointerleave = () => (this.pointer.hidden = true);
    plot.onclick = (event) => {
      if (event.target.matches(".tg-lane, .tg-axis, .tg-tick")) this.actions.seek(this.fileTime(timeAt(event)));
    };
    plot.onkeydown = (event) => this.key(event);
  }

  key(event) {
    const direction = this.data.backwards ? -1 : 1;
    const step = direction * (event.shiftKey ? 5 : 0.5);
    const nowS = this.actions.now();
    const moves = { ArrowRight: nowS + step, ArrowLeft: nowS - step, Home: this.fileTime(0), End: this.fileTime(this.durationS) };
    if (this.zoom && (event.key === "+" || event.key === "-")) this.zoom.by(event.key === "+" ? 2 : 0.5);
    else if (event.key in moves) this.actions.seek(Math.min(this.durationS, Math.max(0, moves[event.key])));
    else if (event.key === " " && event.target === this.slider) this.actions.playOrPause();
    else return;
    event.preventDefault();
  }

  movePlayhead(fileTimeS) {
    const timeS = this.fileTime(fileTimeS);
    for (const mark of this.lanes) mark.style.left = this.percent(timeS);
    this.slider.setAttribute("aria-valuenow", timeS.toFixed(1));
    this.slider.setAttribute("aria-valuetext", clock(timeS));
  }
}

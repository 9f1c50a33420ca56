// Zooming into a long timeline: the plot grows inside a box that scrolls, and the axis gets finer numbers.
const ZOOM_FROM_S = 120;
const ZOOM_MOST = 64;

class Zoom {
  // track: whose `plot` grows. It is told by `layOut` and `drawTicks`, and asked for `nowShare`.
  constructor(track) {
    Object.assign(this, { track, factor: 1 });
    this.box = make("div", "tg-scroll", track.plot);
    this.out = button("tg-zoom-out", "−", () => this.by(0.5));
    this.in = button("tg-zoom-in", "+", () => this.by(2));
    this.out.setAttribute("aria-label", "Zoom out");
    this.in.setAttribute("aria-label", "Zoom in");
    this.node = make("div", "tg-zoom", this.out, this.in);
    this.box.onwheel = (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const box = this.box.getBoundingClientRect();
      this.by(event.deltaY < 0 ? 2 : 0.5, (this.box.scrollLeft + event.clientX - box.left) / track.plot.clientWidth);
    };
    this.tell();
  }

  // Grow or shrink; what lies at `share` of the whole timeline stays in view.
  by(factor, share = this.track.nowShare()) {
    const { box, track } = this;
    const most = Math.min(ZOOM_MOST, Math.max(1, track.durationS / 10));
    this.factor = Math.min(most, Math.max(1, this.factor * factor));
    track.plot.style.width = `${100 * this.factor}%`;
    box.scrollLeft = share * track.plot.clientWidth - box.clientWidth / 2;
    track.drawTicks(this.factor);
    track.layOut();
    this.tell();
  }

  tell() {
    this.out.disabled = this.factor === 1;
  }
}

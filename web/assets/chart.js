// <am-chart>: a time series drawn by uPlot, which is loaded when the first chart is seen. Its data is JSON inside it or at
// data-src; addPoint appends to it.

const text = JSON.parse(document.getElementById('client-text').textContent);
let library;

function loadLibrary(address) {
  library ??= new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement('script'), { src: address, onload: resolve, onerror: reject });
    document.head.append(script);
  });
  return library;
}

const short = new Intl.NumberFormat(text.locale, { notation: 'compact', maximumFractionDigits: 1 });
const plain = new Intl.NumberFormat(text.locale, { maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat(text.locale, { style: 'percent', maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(text.locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const second = new Intl.DateTimeFormat(text.locale, { timeStyle: 'medium', hourCycle: 'h23' });
const day = new Intl.DateTimeFormat(text.locale, { month: 'short', day: 'numeric' });

const units = {
  number: (value) => short.format(value),
  percent: (value) => percent.format(value),
  ms: (value) => (value >= 1000 ? `${plain.format(value / 1000)} s` : `${plain.format(value)} ms`),
  bytes(value) {
    const power = value < 1 ? 0 : Math.min(5, Math.floor(Math.log2(value) / 10));
    return `${plain.format(value / 1024 ** power)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][power]}`;
  },
};

// Sizes are counted in powers of two.
const steps = { bytes: Array.from({ length: 50 }, (_, power) => 2 ** power) };

class Chart extends HTMLElement {
  async connectedCallback() {
    this.write = units[this.dataset.unit];
    const { src, library } = this.dataset;
    const data = src ? await fetch(src).then((answer) => answer.json()) : JSON.parse(this.textContent);
    await loadLibrary(library);
    if (!this.isConnected) return;
    this.series = data.series;
    this.columns = [data.times, ...data.values];
    this.textContent = '';
    this.draw();
    this.sizes = new ResizeObserver(() => this.plot.setSize(this.size()));
    this.sizes.observe(this);
    this.scheme = matchMedia('(prefers-color-scheme: dark)');
    this.scheme.onchange = () => this.draw();
  }

  disconnectedCallback() {
    this.sizes?.disconnect();
    if (this.scheme) this.scheme.onchange = null;
    this.plot?.destroy();
  }

  size() {
    const legend = this.querySelector('.u-legend')?.offsetHeight ?? 0;
    return { width: this.clientWidth, height: Math.max(80, this.clientHeight - legend) };
  }

  /** @param point time in seconds, then one value for each series */
  addPoint(point) {
    if (!this.plot) return;
    const keep = Number(this.dataset.keep);
    this.columns = this.columns.map((column, i) => [...column, point[i] ?? null].slice(-keep));
    this.plot.setData(this.columns);
    this.classList.remove('is-empty');
  }

  draw() {
    this.plot?.destroy();
    const style = getComputedStyle(this);
    const colour = (name) => style.getPropertyValue(name).trim();
    // A colour that depends on the scheme is resolved by setting it on an element.
    const probe = this.appendChild(document.createElement('i'));
    const resolve = (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    const [quiet, line] = [resolve('--quiet'), resolve('--line')];
    const strokes = this.series.map((_, i) => resolve(`--hue-${(i % 8) + 1}`));
    probe.remove();
    const font = `11px ${colour('--sans')}`;
    const grid = { stroke: line, width: 1 };
    const ticks = { show: false };
    this.plot = new uPlot(
      {
        ...this.size(),
        padding: [10, 8, 0, 0],
        cursor: { drag: { x: false, y: false }, points: { size: 7 }, y: false },
        legend: { show: true, live: true },
        scales: {
          // A single point has no extent of its own: uPlot would show months around it.
          x: { range: (_, min, max) => this.span(min, max) },
          y: { range: (_, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
        },
        axes: [
          { stroke: quiet, font, grid: { show: false }, ticks, size: 26, values: (_, times) => this.labels(times), space: 70 },
          { stroke: quiet, font, grid, ticks, size: this.gutter(font), values: (_, values) => values.map(this.write), space: 32, incrs: steps[this.dataset.unit] },
        ],
        series: [
          { value: (_, at) => (at == null ? '' : second.format(at * 1000)) },
          ...this.series.map(({ label }, i) => ({
            label,
            stroke: strokes[i],
            width: 1.75,
            fill: this.series.length === 1 ? strokes[i].replace(/^rgb\((.*)\)$/, 'rgba($1, 0.1)') : undefined,
            points: { show: false },
            // Without a cursor the legend says the latest.
            value: (_plot, value, index, at) => this.writeOrDash(at == null ? this.columns[index].at(-1) : value),
          })),
        ],
      },
      this.columns,
      this,
    );
    this.plot.setSize(this.size());
    this.classList.toggle('is-empty', this.columns[0].length === 0);
    this.dataset.empty = text.noData;
  }

  /** uPlot takes a single point for the beginning of years. */
  span(min, max) {
    const times = this.columns[0];
    const last = times.length === 1 ? times[0] : max;
    const isLong = times.length !== 1 && max - min >= 30;
    return isLong || last == null ? [min, max] : [last - 30, last];
  }

  writeOrDash(value) {
    return value == null ? '–' : this.write(value);
  }

  /** As wide as the widest label of the value axis. */
  gutter(font) {
    const pen = document.createElement('canvas').getContext('2d');
    pen.font = font;
    return (_, values) => Math.ceil(Math.max(24, ...(values ?? []).map((value) => pen.measureText(value).width)) + 12);
  }

  labels(times) {
    const span = times.at(-1) - times[0];
    return times.map((at) => (span > 2 * 86_400 ? day : span < 300 ? second : clock).format(at * 1000));
  }
}

customElements.define('am-chart', Chart);

// <am-picture>: shows a chosen or dropped picture and sends the form around it. <am-boxes> in the answer draws on it.

const text = JSON.parse(document.getElementById('client-text').textContent);

class Picture extends HTMLElement {
  connectedCallback() {
    this.input = this.querySelector('input[type="file"]');
    this.canvas = this.querySelector('canvas');
    this.input.addEventListener('change', () => this.show(this.input.files[0]));
    this.addEventListener('dragover', (event) => {
      event.preventDefault();
      this.classList.add('is-over');
    });
    this.addEventListener('dragleave', () => this.classList.remove('is-over'));
    this.addEventListener('drop', (event) => {
      event.preventDefault();
      this.classList.remove('is-over');
      if (event.dataTransfer.files.length === 0) return;
      const [file] = event.dataTransfer.files;
      const files = new DataTransfer();
      files.items.add(file);
      this.input.files = files.files;
      void this.show(file);
    });
  }

  async show(file) {
    if (!file) return;
    // Upright, as the server sees it.
    const bitmap = await createImageBitmap(file).catch(() => undefined);
    if (!bitmap) {
      const detail = { tone: 'bad', text: text.unreadable };
      return this.dispatchEvent(new CustomEvent('toast', { bubbles: true, detail }));
    }
    this.bitmap = bitmap;
    this.canvas.width = bitmap.width;
    this.canvas.height = bitmap.height;
    this.canvas.hidden = false;
    this.classList.add('has-picture');
    this.draw([]);
    this.closest('form')?.requestSubmit();
  }

  /** @param found list of {label, score, box, keypoints} in pixels of the picture */
  draw(found) {
    if (!this.bitmap) return;
    const { canvas, bitmap } = this;
    const pen = canvas.getContext('2d');
    // Lines and letters keep their size on the screen, however large the picture is.
    const scale = Math.max(1, bitmap.width / (canvas.clientWidth || bitmap.width));
    pen.drawImage(bitmap, 0, 0);
    pen.lineWidth = 2 * scale;
    pen.font = `600 ${12 * scale}px sans-serif`;
    pen.textBaseline = 'middle';
    const labels = [...new Set(found.map(({ label }) => label))];
    for (const { label, score, box, keypoints = [] } of found) {
      const colour = colours[labels.indexOf(label) % colours.length];
      pen.strokeStyle = colour;
      pen.strokeRect(box.x, box.y, box.width, box.height);
      pen.fillStyle = colour;
      for (const { x, y } of keypoints) {
        pen.beginPath();
        pen.arc(x, y, 3 * scale, 0, 7);
        pen.fill();
      }
      const words = `${label} ${Math.round(score * 100)} %`;
      const height = 18 * scale;
      const top = Math.max(0, box.y - height);
      pen.fillRect(box.x - scale, top, pen.measureText(words).width + 10 * scale, height);
      pen.fillStyle = '#fff';
      pen.fillText(words, box.x + 4 * scale, top + height / 2);
    }
  }
}

// Dark enough for white letters, whatever the theme.
const colours = ['#00795c', '#1f63b5', '#a6560b', '#7446b4', '#b0335f', '#4d7311', '#17728a', '#7d5a2a'];

class Boxes extends HTMLElement {
  connectedCallback() {
    document.getElementById(this.dataset.for)?.draw(JSON.parse(this.textContent));
  }
}

customElements.define('am-picture', Picture);
customElements.define('am-boxes', Boxes);

// The product's mark: a stack of layers that carries a point of light. Used in the page and as the browser tab's picture.

export const markSvg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="#00664f"/><g fill="none" stroke="#fff" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round"><path d="m12 5.5 6.5 3.2L12 12 5.5 8.7z"/><path d="m5.7 12.2 6.3 3.1 6.3-3.1"/><path d="m5.7 15.6 6.3 3.1 6.3-3.1" opacity=".6"/></g></svg>`;

// Files from a person: a drop zone that uploads in parts and resumes, an address that the server fetches, and a picture that is shown with boxes drawn on it.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { icon } from '../icons.ts';
import type { Text } from '../text/text.ts';
import { button } from './button.ts';
import { jsonScript } from './json-script.ts';

export interface UploadProps {
  /** The hidden field that gets `[{"uploadId","path"}]` when all files have arrived. */
  name: string;
  /** Below the invitation: what is taken. */
  hint?: string;
  /** What an address may be that the server fetches; without it there is no field for one. */
  from?: 'url' | 'path' | 'both';
  /** The form around it is sent as soon as all files have arrived. */
  sendWhenComplete?: boolean;
}

/**
 * Stands in a form; the form's submit button is disabled until all files have arrived. Speaks /api/v1/uploads with the
 * page's CSRF token in the header X-CSRF-Token. The events "upload-complete" and "upload-changed" bubble from it.
 */
export function upload(t: Text, { name, hint, from, sendWhenComplete }: UploadProps): Html {
  return html`<am-upload class="upload" ${attributes({ 'data-send': sendWhenComplete })}>
    <div class="drop">
      ${icon('upload')}
      <p class="drop-title">${t('upload.drop')}</p>
      <p>${t('upload.or')}</p>
      <div class="drop-buttons">
        <label class="button plain"
          >${icon('file')}<span>${t('upload.file')}</span><input type="file" multiple
        /></label>
        <label class="button plain">
          ${icon('folder')}<span>${t('upload.folder')}</span><input type="file" webkitdirectory />
        </label>
      </div>
      ${hint && html`<p class="hint">${hint}</p>`}
    </div>
    ${from && addressField(t, name, from)}
    <ul class="transfers" aria-label="${t('upload.list')}" hidden></ul>
    <input type="hidden" name="${name}" value="[]" />
    <template>
      <li class="transfer">
        ${icon('file')}
        <span class="transfer-name"></span>
        <span class="transfer-state" role="status"></span>
        <span class="transfer-tools">
          <button type="button" class="tool" data-do="pause">${icon('pause')}</button>
          <button type="button" class="tool" data-do="resume" hidden>${icon('play')}</button>
          <button type="button" class="tool" data-do="remove">${icon('cross')}</button>
        </span>
        <progress max="1" value="0"></progress>
      </li>
    </template>
  </am-upload>`;
}

function addressField(t: Text, name: string, from: NonNullable<UploadProps['from']>): Html {
  const id = `${name}-address`;
  return html`<div class="field address">
    <label for="${id}">${t('upload.address')}</label>
    <span class="with-button">
      <input
        type="text"
        id="${id}"
        data-address
        maxlength="4096"
        autocomplete="off"
        spellcheck="false"
        placeholder="${from === 'path' ? '/srv/models/digits.onnx' : 'https://models.corp/digits.onnx'}"
        aria-describedby="${id}-hint"
      />
      ${button({ label: t('upload.fetch'), attributes: { 'data-fetch': true } })}
    </span>
    <p class="hint" id="${id}-hint">${t(`upload.address.${from}`)}</p>
  </div>`;
}

export interface PictureProps {
  id: string;
  /** The file's name in the form around it. */
  name: string;
}

/** Shows the chosen picture and sends the form around it; a `boxes` part in the answer is drawn on it. */
export function pictureInput(t: Text, { id, name }: PictureProps): Html {
  return html`<am-picture id="${id}" class="picture">
    <label class="drop">
      ${icon('picture')}
      <span class="drop-title">${t('picture.drop')}</span>
      <input type="file" name="${name}" accept="image/jpeg,image/png,image/webp" aria-label="${t('picture.choose')}" />
    </label>
    <canvas hidden role="img" aria-label="${t('picture.shown')}"></canvas>
  </am-picture>`;
}

export interface Box {
  label: string;
  /** 0…1 */
  score: number;
  /** In pixels of the upright picture. */
  box: { x: number; y: number; width: number; height: number };
  keypoints?: { x: number; y: number }[];
}

/** @param picture id of the `pictureInput` to draw on */
export function boxes(picture: string, found: Box[]): Html {
  return html`<am-boxes data-for="${picture}">${jsonScript(undefined, found)}</am-boxes>`;
}

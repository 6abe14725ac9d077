// The thread that decodes and scales pictures, so that a big photo never holds up other requests. An entry point of its
// own: the build must name it, and the compiled binary carries it beside main.
import { AppError, messageOf } from '../error.ts';
import { toImageTensor } from './image-tensor.ts';
import type { PictureJob, PictureReply } from './image-threads.ts';
import { decodePicture } from './picture.ts';

declare const self: Worker;

self.addEventListener('message', (event: MessageEvent<PictureJob>) => {
  void answer(event.data);
});

async function answer({ picture, preprocess, datatype }: PictureJob): Promise<void> {
  try {
    const tensor = toImageTensor(await decodePicture(picture), preprocess, datatype);
    self.postMessage({ tensor } satisfies PictureReply, [tensor.bytes.buffer]);
  } catch (error) {
    const { code, hint } = error instanceof AppError ? error : {};
    self.postMessage({ error: { code, message: messageOf(error), hint } } satisfies PictureReply, []);
  }
}

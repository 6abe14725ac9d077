// An appliance with two GPUs that a stand-in for NVIDIA's library plays, and a model on its processor.
import { addScalar } from '../../support/graphs.ts';
import { buildNvmlStub, driver, gib, gpu } from '../../support/nvml.ts';
import { openSignedIn } from './session.ts';

export const modelName = 'm';
/** The name that a foreign program gave itself. */
export const evilProgram = '<img/src=x/onerror=alert(1)>';

export const calm = [
  driver,
  gpu('GPU-0', { reserved: 0, used: 20 * gib, util: 37, power: 250_000 }),
  gpu('GPU-1', { reserved: 0, used: 0 }),
  `process gpu=0 pid=1 used=${16 * gib} name=${evilProgram}`,
];

export async function openMachineBox() {
  const stub = await buildNvmlStub();
  stub.play(...calm);
  const box = await openSignedIn({}, { nvmlPath: stub.path });

  async function push(name: string): Promise<void> {
    const headers = { 'content-type': 'application/octet-stream' };
    const { status } = await box.ask('POST', `/api/v1/models/${name}/versions?filename=m.onnx`, addScalar(1), headers);
    if (status !== 201) throw new Error(`${name} was not stored: ${status}`);
  }

  return {
    ...box,
    play: stub.play,
    push,
    async [Symbol.asyncDispose]() {
      await box[Symbol.asyncDispose]();
      stub.remove();
    },
  };
}

/** Asks until the answer is as wanted: readings are shared for a second, and processes take their time. */
export async function until<T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    await Bun.sleep(50);
  }
}

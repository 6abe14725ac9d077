// Models laid out in folders of their own and inspected in this process, for tests.
import { expect } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { AppError } from '../../src/error.ts';
import { inspectModel } from '../../src/inference/inspect.ts';
import { prepareNative } from '../../src/native.ts';
import type { Graph, Model, Node } from '../../src/onnx/model.ts';
import { writeModel } from '../../src/onnx/write.ts';
import type { Inspection } from '../../src/types.ts';
import { graph, model, node, value } from '../support/graphs.ts';

export class Inspecting {
  private constructor(
    private readonly folder: string,
    readonly nativeFolder: string,
  ) {}

  static async open(): Promise<Inspecting> {
    const folder = mkdtempSync(join(tmpdir(), 'aimass-inspect-'));
    return new Inspecting(folder, await prepareNative(join(folder, 'native')));
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }

  /** @returns where "model.onnx" lies among the files */
  async lay(files: Record<string, Uint8Array | string>): Promise<string> {
    const own = join(this.folder, crypto.randomUUID());
    for (const [name, content] of Object.entries(files)) await Bun.write(join(own, name), content);
    return join(own, 'model.onnx');
  }

  async inspect(files: Uint8Array | Record<string, Uint8Array>): Promise<Inspection> {
    const path = await this.lay(files instanceof Uint8Array ? { 'model.onnx': files } : files);
    return inspectModel(path, { nativeFolder: this.nativeFolder });
  }

  /** Message and hint of the refusal, separated by " | ". */
  async refusal(content: Uint8Array | string | Record<string, Uint8Array>): Promise<string> {
    const isFile = typeof content === 'string' || content instanceof Uint8Array;
    const path = await this.lay(isFile ? { 'model.onnx': content } : content);
    try {
      await inspectModel(path, { nativeFolder: this.nativeFolder });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect(error.code).toBe('invalid');
      expect(error.hint).toBeTruthy();
      expect(error.message).not.toContain(dirname(path));
      return `${error.message} | ${error.hint}`;
    }
    return 'accepted';
  }
}

export const input = value('in', 'FP32', ['N', 4]);
export const output = value('out', 'FP32', ['N', 4]);
export const relu = node('Relu', ['in'], ['out']);

/** in → out FP32 [N,4] by these nodes, unless other parts are given. */
export function through(nodes: Node[], parts: Partial<Graph> = {}, rest: Partial<Model> = {}): Uint8Array {
  return writeModel(model(graph({ input: [input], output: [output], node: nodes, ...parts }), rest));
}

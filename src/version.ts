// The release and the ONNX Runtime that is built in, as package.json names them.
import { dependencies, version as packageVersion } from '../package.json' with { type: 'json' };

export const version: string = packageVersion;
/** Of ONNX Runtime. */
export const runtimeVersion: string = dependencies['onnxruntime-node'];

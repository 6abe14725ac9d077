// Makes the bundler embed ONNX Runtime. Only the compiled binary imports this: run from source, Bun refuses to import a
// Node-API module as a file.
import libraryPath from '../node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1' with { type: 'file' };
import bindingPath from '../node_modules/onnxruntime-node/bin/napi-v6/linux/x64/onnxruntime_binding.node' with { type: 'file' };

export const embedded = [
  { name: 'libonnxruntime.so.1', path: libraryPath },
  { name: 'onnxruntime_binding.node', path: bindingPath },
];

// ONNX Runtime's error messages, shortened to what a person outside can use.

// "/onnxruntime_src/…/model.cc:192 onnxruntime::Model::Model(…) [with T = float] " before the message proper.
const sourcePlace =
  /\/onnxruntime_src\/\S{1,300}:\d+ (?:[^()\n]{0,500}\([^()\n]{0,1000}\)){1,4}?(?: \[with [^\]\n]{0,300}\])?>? (?=\S)/g;

// " ; GPU=0 ; hostname=box ; file=/onnxruntime_src/… ; line=345 ; expr=cudaSetDevice(…);" behind an error of CUDA.
const cudaPlace = / ; GPU=-?\d+ ; hostname=[^]*$/;

/** Without paths and the machine's name, the place in ONNX Runtime's source code, and all but the beginning of long ones. */
export function readableMessage(text: string): string {
  return text
    .slice(0, 4000)
    .replace(cudaPlace, '')
    .replace(/^Load model from .{0,500}? failed:/, '')
    .replace(/^[^]{0,2000}\[ONNXRuntimeError\] : \d+ : \w+ : (?:[\w.]+:\d+ \w+ )?/, '')
    .replace(sourcePlace, '')
    .replaceAll(/(?<![\w.])\/[\w.-]+\/[\w./-]*/g, (path) => path.slice(path.lastIndexOf('/') + 1))
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
}

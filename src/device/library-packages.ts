// Which package has a missing shared library: names of NVIDIA's package repository, or of Debian for the rest. Pure data.

const patterns: [RegExp, (soMajor: string, cudaMajor: string) => string][] = [
  [/^libcudart\.so\.(\d+)$/, (major) => `cuda-cudart-${major}-0 or newer (NVIDIA)`],
  [/^libcublas(?:Lt)?\.so\.(\d+)$/, (major) => `libcublas-${major}-0 or newer (NVIDIA)`],
  [/^libcurand\.so\.\d+$/, (_, cuda) => `libcurand-${cuda}-0 or newer (NVIDIA)`],
  [/^libcufft\.so\.\d+$/, (_, cuda) => `libcufft-${cuda}-0 or newer (NVIDIA)`],
  [/^libnvrtc\.so\.(\d+)$/, (major) => `cuda-nvrtc-${major}-0 or newer (NVIDIA)`],
  [/^libnvJitLink\.so\.(\d+)$/, (major) => `libnvjitlink-${major}-0 or newer (NVIDIA)`],
  [/^libcudnn\w*\.so\.(\d+)$/, (major, cuda) => `libcudnn${major}-cuda-${cuda} (NVIDIA)`],
  [/^libnvinfer_plugin\.so\.(\d+)$/, (major) => `libnvinfer-plugin${major} (NVIDIA TensorRT)`],
  [/^libnvinfer\w*\.so\.(\d+)$/, (major) => `libnvinfer${major} (NVIDIA TensorRT)`],
  [/^libnvonnxparser\.so\.(\d+)$/, (major) => `libnvonnxparsers${major} (NVIDIA TensorRT)`],
  [/^libcuda\.so\.1$/, () => 'libcuda1, a part of the NVIDIA driver'],
  [/^libstdc\+\+\.so\.6$/, () => 'libstdc++6 (Debian)'],
  [/^libgcc_s\.so\.1$/, () => 'libgcc-s1 (Debian)'],
  [/^(?:libc|libm|libdl|librt|libpthread|ld-linux-[\w-]+)\.so\.\d+$/, () => 'libc6 (Debian)'],
  [/^libz\.so\.1$/, () => 'zlib1g (Debian)'],
];

/** @param cudaMajor of the pack, e.g. "13": some libraries number themselves apart from CUDA */
export function findPackage(library: string, cudaMajor: string): string | undefined {
  for (const [pattern, name] of patterns) {
    const match = pattern.exec(library);
    if (match) return name(match[1] ?? '', cudaMajor);
  }
  return undefined;
}

/**
 * Libraries that ONNX Runtime's CUDA provider opens only when a model needs them (convolutions, Fourier transforms,
 * kernels that are compiled for a model), so that its file does not name them as needed.
 */
export function onDemandLibraries(cudaMajor: string): string[] {
  return ['libcudnn.so.9', Number(cudaMajor) < 13 ? 'libcufft.so.11' : 'libcufft.so.12', `libnvrtc.so.${cudaMajor}`];
}

// Why a provider cannot compute, from messages as ONNX Runtime's CUDA provider writes them.
import { describe, expect, test } from 'bun:test';

import { explainProviderError } from '../../src/inference/provider-problem.ts';
import { readableMessage } from '../../src/inference/runtime-message.ts';

// As the real library threw it on a machine without a GPU, but for the number and the words.
const cuda = (code: number, text: string) =>
  '/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 std::conditional_t<THRW, void, onnxruntime::common::Status> ' +
  'onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; ' +
  'bool THRW = true; SUCCTYPE = cudaError; std::conditional_t<THRW, void, common::Status> = void] ' +
  `CUDA failure ${code}: ${text} ; GPU=-1 ; hostname=secret-box ; ` +
  'file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider.cc ; line=345 ; expr=cudaSetDevice(info_.device_id); \n\n';
const explain = (message: string) => explainProviderError(message, { provider: 'cuda', nativeFolder: '/nowhere' });

describe('the machine is to blame', () => {
  test.each([
    [100, 'no CUDA-capable device is detected', 'nvidia-uvm'],
    [35, 'CUDA driver version is insufficient for CUDA runtime version', 'too old'],
    [802, 'system not yet initialized', 'fabric manager'],
    [803, 'system has unsupported display driver / cuda driver combination', 'cuda-compat'],
    [46, 'CUDA-capable device(s) is/are busy or unavailable', 'another program'],
    [214, 'uncorrectable ECC error encountered', 'uncorrectable ECC'],
  ])('CUDA failure %i', async (code, text, words) => {
    expect(await explain(cuda(code, text))).toEqual({ reason: expect.stringContaining(words), ofMachine: true });
  });
});

test.each([
  cuda(2, 'out of memory'),
  'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=secret-box ; file=x ; line=1 ; expr=y;',
  'CUDNN failure 4004: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0 ; hostname=secret-box ; file=x',
  'Failed to allocate memory for requested buffer of size 4398046511104',
])('memory ran out: %#', async (message) => {
  expect(await explain(message)).toEqual({ reason: expect.stringContaining('memory') });
});

test('what is left names neither the machine nor its files', async () => {
  const { reason, ofMachine } = await explain(cuda(709, 'context is destroyed'));
  expect({ reason, ofMachine }).toEqual({ reason: 'CUDA failure 709: context is destroyed.', ofMachine: undefined });
  const running = `Non-zero status code returned while running Conv node. Name:'c' Status Message: ${cuda(700, 'an illegal memory access was encountered')}`;
  expect(readableMessage(running)).toEndWith('CUDA failure 700: an illegal memory access was encountered');
});

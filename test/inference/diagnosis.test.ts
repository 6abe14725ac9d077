// What a runner's end is taken for, from exit codes, signals and messages as the libraries print them.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { diagnoseEnd, type EndFacts, faultExitCodes, findFault } from '../../src/inference/diagnosis.ts';
import { countMemoryKills } from '../../src/inference/memory-kills.ts';

const diagnose = (more: Partial<EndFacts>) =>
  diagnoseEnd({ exit: 1, provider: 'cpu', wasReady: true, lines: [], memoryKill: false, ...more });

describe('messages of', () => {
  const at =
    '/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t)';
  const cuda = (code: number, text: string) =>
    `CUDA failure ${code}: ${text} ; GPU=0 ; hostname=box ; expr=cudaMalloc((void**)&p, size);`;
  test.each([
    [
      "ONNX Runtime's arena",
      `${at} Failed to allocate memory for requested buffer of size 4398046511104`,
      'out_of_memory',
    ],
    ["ONNX Runtime's limit", `${at} Available memory of 0 is smaller than requested bytes of 4096`, 'out_of_memory'],
    ['CUDA', cuda(2, 'out of memory'), 'out_of_memory'],
    ['cuBLAS', 'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0', 'out_of_memory'],
    ['cuDNN', 'CUDNN failure 4004: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0', 'out_of_memory'],
    ['the C++ library', 'std::bad_alloc', 'out_of_memory'],
    ['Vulkan', 'vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY', 'out_of_memory'],
    [
      'Dawn, of a large buffer',
      'Buffer size (4294967296) exceeds the max buffer size limit (1073741824).',
      'out_of_memory',
    ],
    [
      'the NVIDIA driver',
      'Unable to determine the device handle for GPU: GPU is lost. Reboot the system',
      'device_lost',
    ],
    ['CUDA, busy', cuda(46, 'CUDA-capable device(s) is/are busy or unavailable'), 'device_lost'],
    ['CUDA, none', cuda(100, 'no CUDA-capable device is detected'), 'device_lost'],
    ['CUDA, memory errors', cuda(214, 'uncorrectable ECC error encountered'), 'device_lost'],
    ['Dawn, lost', '[Device] is lost.\n - While calling [Queue].Submit', 'device_lost'],
    ['CUDA, bad address', cuda(700, 'an illegal memory access was encountered'), 'context_lost'],
    ['CUDA, bad kernel', cuda(719, 'unspecified launch failure'), 'context_lost'],
    ['CUDA, too long', cuda(702, 'the launch timed out and was terminated'), 'context_lost'],
    ['CUDA, assertion', cuda(710, 'device-side assert triggered'), 'context_lost'],
    ['CUDA, stack', cuda(714, 'hardware stack error'), 'context_lost'],
    ['CUDA, instruction', cuda(715, 'an illegal instruction was encountered'), 'context_lost'],
    ['CUDA, address', cuda(717, 'operation not supported on global/shared address space'), 'context_lost'],
    ['CUDA, counter', cuda(718, 'invalid program counter'), 'context_lost'],
    ['CUDA, unknown', cuda(999, 'unknown error'), 'context_lost'],
    ['CUDA, NVLink', cuda(220, 'uncorrectable NVLink error detected during the execution'), 'device_lost'],
    ['CUDA, no fabric manager', cuda(802, 'system not yet initialized'), 'device_lost'],
    ['CUDA, an argument', cuda(1, 'invalid argument'), undefined],
    ['cuBLAS after a fault', 'CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; GPU=0', 'context_lost'],
    ['cuDNN after a fault', 'CUDNN failure 5003: CUDNN_STATUS_EXECUTION_FAILED_CUDART ; GPU=0', 'context_lost'],
    ['cuDNN, unsupported', 'CUDNN failure 3002: CUDNN_STATUS_NOT_SUPPORTED_SHAPE ; GPU=0', undefined],
    ['a request', 'indices element out of data bounds, idx=9 must be within the inclusive range [-4,3]', undefined],
    ['a limit of Tile', 'Tile output tensor would require more than 4294967296 bytes', undefined],
  ] as const)('%s', (_, message, fault) => {
    expect(findFault(message)).toBe(fault);
  });
});

test.each([
  [
    'its own word: memory',
    { exit: faultExitCodes.out_of_memory, provider: 'cuda' },
    'out_of_memory',
    /memory of the GPU ran out.* smaller maxBatchSize/,
  ],
  [
    'its own word: memory of the host',
    { exit: faultExitCodes.out_of_memory },
    'out_of_memory',
    /memory of this machine ran out/,
  ],
  [
    'its own word: lost',
    { exit: faultExitCodes.device_lost, provider: 'cuda' },
    'device_lost',
    /cannot be used any more.*Xid/,
  ],
  [
    'its own word: a broken context',
    { exit: faultExitCodes.context_lost, provider: 'cuda' },
    'crash',
    /another provider/,
  ],
  [
    'its own word: not loaded',
    { exit: faultExitCodes.load_failed, wasReady: false, lines: ['Protobuf parsing failed.'] },
    'load_failed',
    /could not be loaded: Protobuf parsing failed/,
  ],
  ['the out-of-memory killer', { exit: 'SIGKILL', memoryKill: true }, 'out_of_memory', /because memory ran out/],
  ['a kill by hand', { exit: 'SIGKILL' }, 'crash', /by hand or by the system/],
  ['a kill for not answering', { exit: 'SIGKILL', missed: 'answer', memoryKill: true }, 'hang', /runTimeoutMs/],
  ['a kill for not loading', { exit: 'SIGKILL', missed: 'load', wasReady: false }, 'load_failed', /loadTimeoutMs/],
  ['an end of its own shortly before the kill', { exit: 'SIGSEGV', missed: 'answer' }, 'crash', /SIGSEGV/],
  [
    'C++ out of memory',
    {
      exit: 'SIGABRT',
      lines: ["terminate called after throwing an instance of 'std::bad_alloc'", '  what():  std::bad_alloc'],
    },
    'out_of_memory',
    /memory of this machine/,
  ],
  ['an old processor', { exit: 'SIGILL', wasReady: false }, 'crash', /AVX2.*host processor/],
  [
    'a crash in a GPU provider',
    { exit: 'SIGSEGV', provider: 'tensorrt' },
    'crash',
    /tensorrt provider or the GPU's driver/,
  ],
  ['a vanished file', { exit: 'SIGBUS' }, 'crash', /shared memory is full/],
  [
    'a missing library',
    {
      exit: 127,
      wasReady: false,
      lines: [
        'aimass: error while loading shared libraries: libstdc++.so.6: cannot open shared object file: No such file or directory',
      ],
    },
    'load_failed',
    /libstdc\+\+\.so\.6 cannot be loaded/,
  ],
  ['something else', { exit: 1, lines: ['TypeError: x is not a function'] }, 'crash', /exit code 1.*TypeError/],
  ['a signal of no meaning', { exit: 'SIGUSR2' }, 'crash', /unexpectedly \(SIGUSR2\)/],
] as const)('the end by %s', (_, facts, cause, words) => {
  const { cause: given, diagnosis } = diagnose(facts);
  expect(given).toBe(cause);
  expect(diagnosis).toMatch(words);
  expect(diagnosis).not.toContain('undefined');
});

describe('kills for want of memory are counted', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'aimass-kills-'));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  function machine(name: string, files: Record<string, string>): string {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name, path)), { recursive: true });
      writeFileSync(join(root, name, path), text);
    }
    return join(root, name);
  }

  const events = (kills: number) => `low 0\nhigh 0\nmax 12\noom 9\noom_kill ${kills}\noom_group_kill 0\n`;

  test('in the group of a service', () => {
    const service = machine('service', {
      'proc/self/cgroup': '0::/system.slice/aimass.service\n',
      'sys/fs/cgroup/system.slice/aimass.service/memory.events': events(3),
      'proc/vmstat': 'oom_kill 7\n',
    });
    expect(countMemoryKills(service)).toBe(3);
  });

  test('in a container, whose group has another path on the host', () => {
    const container = machine('container', {
      'proc/self/cgroup': '0::/kubepods/pod1\n',
      'sys/fs/cgroup/memory.events': events(2),
    });
    expect(countMemoryKills(container)).toBe(2);
  });

  test("in the first version of the kernel's interface", () => {
    const old = machine('old', {
      'proc/self/cgroup': '9:cpu,cpuacct:/\n8:memory:/user.slice\n',
      'sys/fs/cgroup/memory/user.slice/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 5\n',
    });
    expect(countMemoryKills(old)).toBe(5);
  });

  test('on the whole machine where groups are not shown, and nowhere at all', () => {
    expect(countMemoryKills(machine('bare', { 'proc/vmstat': 'pgfault 12\noom_kill 4\nother 1\n' }))).toBe(4);
    expect(countMemoryKills(machine('nothing', { 'proc/version': '' }))).toBe(0);
  });
});

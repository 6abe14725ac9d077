// Says why a runner ended and what to do about it, in words for a person, and how a runner that can still speak tells
// its owner. Pure: knows what was seen of the process, and neither starts nor watches one.
import type { ProviderName } from './session.ts';

export type EndCause = 'crash' | 'hang' | 'out_of_memory' | 'device_lost' | 'load_failed' | 'machine';

/** What a runner finds out about itself. `context_lost`: its GPU works, but computes nothing more for this process. */
export type Fault = 'load_failed' | 'out_of_memory' | 'device_lost' | 'context_lost';

/** Exit codes by which runners tell; 1 is Bun's own, for errors that nobody caught. */
export const faultExitCodes: Readonly<Record<Fault, number>> = {
  load_failed: 20,
  out_of_memory: 21,
  device_lost: 22,
  context_lost: 23,
};

// As CUDA, cuBLAS, cuDNN, Vulkan and WebGPU (Dawn) put it, and ONNX Runtime and the C++ library. ONNX Runtime writes CUDA's
// sentences ("CUDA failure 700: an illegal memory access …") and the names of cuBLAS and cuDNN, and both are here.
const faultPatterns: [Exclude<Fault, 'load_failed'>, RegExp][] = [
  [
    'out_of_memory',
    /out[ _]of[ _](?:host_|device_)?memory|OutOfMemory|bad_alloc|Failed to allocate memory|cudaErrorMemoryAllocation|_ALLOC(?:ATION)?_FAILED|is smaller than requested bytes|exceeds the max buffer size|\[Invalid Buffer/i,
  ],
  [
    'device_lost',
    /GPU is lost|fallen off the bus|cudaErrorDevicesUnavailable|is\/are busy or unavailable|no CUDA-capable device|cudaErrorNoDevice|uncorrectable (?:ECC|NVLink)|cudaErrorECCUncorrectable|system not yet initialized|device\]? (?:is |was )?lost|DeviceLost|ERROR_DEVICE_LOST/i,
  ],
  // After each of these every later call in the process fails: CUDA's manual says that it must be started anew.
  [
    'context_lost',
    /illegal (?:memory access|instruction)|cudaErrorIllegalAddress|unspecified launch failure|cudaErrorLaunchFailure|launch timed out|device-side assert|misaligned address|hardware stack error|not supported on global\/shared address space|invalid program counter|invalid device context|context is destroyed|peer GPU memory over nvlink|CUDA failure 999|cudaErrorUnknown|(?:CUBLAS|CUDNN)_STATUS_EXECUTION_FAILED/i,
  ],
];

/** @param message of ONNX Runtime. @returns undefined when only the one request or model is at fault */
export function findFault(message: string): Exclude<Fault, 'load_failed'> | undefined {
  const text = message.slice(0, 4000);
  return faultPatterns.find(([, pattern]) => pattern.test(text))?.[0];
}

export interface EndFacts {
  /** Exit code or name of the signal. */
  exit: number | string;
  provider: ProviderName;
  /** It could answer before. */
  wasReady: boolean;
  /** What it printed, oldest first. */
  lines: readonly string[];
  /** The deadline at which its owner killed it. */
  missed?: 'answer' | 'load' | 'warm-up';
  /** The system killed a process for want of memory meanwhile. */
  memoryKill: boolean;
}

export interface Diagnosis {
  cause: EndCause;
  /** One sentence, and what to do. */
  diagnosis: string;
}

const doctor = "Look at 'aimass doctor'.";
const lessMemory = 'Set a smaller maxBatchSize, unload other models, or run it on another device.';

export function diagnoseEnd(facts: EndFacts): Diagnosis {
  const { exit, missed, memoryKill } = facts;
  if (exit === 'SIGKILL') {
    if (missed) return explainMissed(missed);
    return memoryKill ? told('out_of_memory', 'The system killed it because memory ran out.', lessMemory) : killed;
  }
  const fault = findTold(facts) ?? findFault(facts.lines.slice(-30).join('\n'));
  if (fault) return explainFault(fault, facts);
  return (typeof exit === 'string' && explainSignal(exit, facts)) || explainRest(facts);
}

const told = (cause: EndCause, sentence: string, hint: string): Diagnosis => ({
  cause,
  diagnosis: `${sentence} ${hint}`,
});

/** Nothing crashes by this signal: somebody sent it. */
const killed = told(
  'crash',
  'It was killed (SIGKILL) by hand or by the system.',
  'If nobody did, the machine may be short of memory: look at the kernel log.',
);

function explainMissed(missed: NonNullable<EndFacts['missed']>): Diagnosis {
  if (missed === 'answer') {
    return told(
      'hang',
      'It was killed because it did not answer any more.',
      'If requests may take this long, raise runTimeoutMs in the settings.',
    );
  }
  const [what, hint] =
    missed === 'load'
      ? ['The model was not loaded', 'Look at']
      : ['The first run did not end', 'It is left out now; look at'];
  return told(
    'load_failed',
    `${what} in the time that loadTimeoutMs allows.`,
    `${hint} the load of the machine, or raise it.`,
  );
}

const findTold = ({ exit }: EndFacts) =>
  (Object.keys(faultExitCodes) as Fault[]).find((fault) => faultExitCodes[fault] === exit);

function explainFault(fault: Fault, { provider, lines }: EndFacts): Diagnosis {
  const where = provider === 'cpu' ? 'this machine' : 'the GPU';
  if (fault === 'out_of_memory') {
    return told(
      fault,
      `The memory of ${where} ran out: the model and its values do not fit into what is free.`,
      lessMemory,
    );
  }
  if (fault === 'device_lost') {
    return told(
      fault,
      `The GPU cannot be used any more.`,
      "Look at 'aimass doctor' and for Xid in the kernel log; it may need a reset, or the machine a restart.",
    );
  }
  if (fault === 'context_lost') {
    return told(
      'crash',
      `The GPU stopped the work of this process because of an error in it, and computes nothing more for it.`,
      'If it happens again, pin the model to another provider and keep the log lines for a report.',
    );
  }
  return { cause: fault, diagnosis: `The model could not be loaded: ${lastWords(lines) || 'nothing was said.'}` };
}

function explainSignal(signal: string, { provider }: EndFacts): Diagnosis | undefined {
  const culprit = provider === 'cpu' ? 'ONNX Runtime' : `ONNX Runtime's ${provider} provider or the GPU's driver`;
  const crashed = [
    `It crashed (${signal}) in ${culprit}.`,
    provider === 'cpu'
      ? 'If it happens again, keep the log lines for a report.'
      : 'If it happens again, pin the model to another provider and keep the log lines for a report.',
  ] as const;
  const known: Record<string, readonly [string, string]> = {
    SIGILL: [
      'The processor does not know an instruction that the program needs, such as one of AVX2.',
      'Use a newer processor; in a virtual machine, pass the features of the host processor through.',
    ],
    SIGBUS: [
      'Memory that is a file could not be read (SIGBUS): shared memory is full, a disk fails, or a model file was changed.',
      doctor,
    ],
    SIGSEGV: crashed,
    SIGABRT: crashed,
    SIGFPE: crashed,
    SIGTRAP: crashed,
    SIGSYS: [
      'A system call that it needs is forbidden (SIGSYS).',
      'Allow it in the sandbox or unit that the server runs in.',
    ],
    SIGTERM: ['Somebody ended it (SIGTERM).', "To end a model for good, use 'aimass unload'."],
    SIGINT: ['Somebody ended it (SIGINT).', "To end a model for good, use 'aimass unload'."],
  };
  const found = known[signal];
  return found && told('crash', ...found);
}

const missingLibrary = /(lib[\w.+-]{1,100}\.so[\d.]{0,20}): cannot open shared object file/;

function explainRest({ exit, wasReady, lines }: EndFacts): Diagnosis {
  const cause = wasReady ? 'crash' : 'load_failed';
  const library = missingLibrary.exec(lines.slice(-30).join('\n').slice(-10_000))?.[1];
  if (library !== undefined) return told(cause, `The library ${library} cannot be loaded.`, doctor);
  const what = typeof exit === 'number' ? `exit code ${exit}` : exit;
  return { cause, diagnosis: `It ended unexpectedly (${what}). ${lastWords(lines)}`.trim() };
}

const lastWords = (lines: readonly string[]) => lines.slice(-3).join(' ').trim().slice(-500);

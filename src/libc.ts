// The few system calls that Bun has no API for. Linux x86-64 and arm64.
import { dlopen, ptr } from 'bun:ffi';
import { readdirSync, writeFileSync } from 'node:fs';

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;
const RLIMIT_DATA = 2;
const AF_UNIX = 1;
const MSG_DONTWAIT = 0x40;
const LOCK_EX_NB = 2 | 4;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;

let library: ReturnType<typeof open> | undefined;

function open() {
  return dlopen('libc.so.6', {
    prctl: { args: ['i32', 'u64', 'u64', 'u64', 'u64'], returns: 'i32' },
    setrlimit: { args: ['i32', 'ptr'], returns: 'i32' },
    socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
    sendto: { args: ['i32', 'ptr', 'u64', 'i32', 'ptr', 'u32'], returns: 'i64' },
    close: { args: ['i32'], returns: 'i32' },
    recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i64' },
    flock: { args: ['i32', 'i32'], returns: 'i32' },
    sched_yield: { args: [], returns: 'i32' },
    posix_fallocate: { args: ['i32', 'i64', 'i64'], returns: 'i32' },
    sched_setaffinity: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
    _exit: { args: ['i32'], returns: 'void' },
  }).symbols;
}

const libc = () => (library ??= open());

/** Has the kernel kill this process when its parent ends, even by SIGKILL. @param parent the expected parent's pid */
export function dieWithParent(parent: number): void {
  libc().prctl(PR_SET_PDEATHSIG, BigInt(SIGKILL), 0n, 0n, 0n);
  // The parent may have ended before the call above took effect.
  if (process.ppid !== parent) process.exit(1);
}

/** Has the system end this process before the server when memory runs out: it computes what others brought. */
export function dieFirst(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '500');
  } catch {
    // Some containers forbid it; it is a preference, not a need.
  }
}

/**
 * Lets the threads of this process, and those that they will start, run on these cores only.
 * @param cores numbers as the kernel counts them. @returns false when this process may use none of them
 */
export function bindToCores(cores: readonly number[]): boolean {
  const mask = new Uint8Array(8 * Math.ceil((Math.max(0, ...cores) + 1) / 64));
  for (const core of cores) mask[core >> 3]! |= 1 << (core & 7);
  // The call is for one thread, and Bun has several already.
  const threads = readdirSync('/proc/self/task').map(Number);
  const bound = threads.map((id) => libc().sched_setaffinity(id, BigInt(mask.length), ptr(mask)) === 0);
  return bound[threads.indexOf(process.pid)]!;
}

/** Ends this process without the clean-up of native libraries, which may wait for a device that does not answer. */
export function exitNow(code: number): never {
  libc()._exit(code);
  throw new Error('_exit returned');
}

/**
 * Lets this process take at most `bytes` more writable memory than it holds now. RLIMIT_DATA rather than RLIMIT_AS:
 * JavaScriptCore reserves many gigabytes of address space that it never touches.
 */
export async function limitMemory(bytes: number): Promise<void> {
  const status = await Bun.file('/proc/self/status').text();
  const heldKb = Number(/VmData:\s+(\d+)/.exec(status)?.[1] ?? 0);
  const limit = BigInt(heldKb) * 1024n + BigInt(Math.ceil(bytes));
  libc().setrlimit(RLIMIT_DATA, ptr(new BigUint64Array([limit, limit])));
}

/** Sends one datagram to a unix socket; a leading "@" names an abstract one. @returns false if it was not taken */
export function sendDatagram(path: string, text: string): boolean {
  const address = new Uint8Array(110);
  address[0] = AF_UNIX;
  const name = new TextEncoder().encode(path);
  if (name.length === 0 || name.length > 107) return false;
  address.set(name, 2);
  if (path.startsWith('@')) address[2] = 0;
  const fd = libc().socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) return false;
  const data = new TextEncoder().encode(text);
  const sent = libc().sendto(
    fd,
    ptr(data),
    BigInt(data.length),
    0,
    ptr(address),
    2 + name.length + (path.startsWith('@') ? 0 : 1),
  );
  libc().close(fd);
  return Number(sent) === data.length;
}

/** Sets a file's size and reserves its blocks (or memory, on tmpfs). @returns false when there is no room */
export function reserveFile(fd: number, bytes: number): boolean {
  return libc().posix_fallocate(fd, 0n, BigInt(bytes)) === 0;
}

/** Locks an open file for this process alone, without waiting. @returns false when somebody else holds the lock */
export function lockFile(fd: number): boolean {
  return libc().flock(fd, LOCK_EX_NB) === 0;
}

/** What has arrived at a socket, without waiting. @returns bytes put into `buffer`; 0: closed; −1: nothing */
export function receiveNow(fd: number, buffer: Uint8Array): number {
  return Number(libc().recv(fd, buffer, BigInt(buffer.length), MSG_DONTWAIT));
}

/** Lets others that wait for this core go first. */
export function yieldCore(): void {
  libc().sched_yield();
}

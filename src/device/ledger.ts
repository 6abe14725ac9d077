// The books of device memory: what is held by which instance, what is promised to one that is still loading, what others
// use, and so what is left. Told everything; measures nothing and decides nothing.
import { AppError } from '../error.ts';
import type { Device, DeviceProcess } from './device.ts';

export interface Holding {
  /** Of the instance. */
  id: string;
  deviceId: string;
  /** The promise while it loads, then the measurement; or what the driver reports when that is more. */
  bytes: number;
  state: 'loading' | 'loaded';
  pid?: number;
}

export interface Account {
  deviceId: string;
  capacityBytes: number;
  /** Used by whatever holds no entry in these books, as of the last reading. */
  usedByOthersBytes: number;
  /** Processes that hold it, as far as the device tells. */
  others: DeviceProcess[];
  heldBytes: number;
  reserveBytes: number;
  /** Negative when others took more than was left; 0 for a device that is lost. */
  availableBytes: number;
}

interface Books {
  device: Device;
  reserveBytes: number;
  usedByOthersBytes: number;
}

/** Readings may be a second old, and a driver may take a moment to clean up after a process. */
const settleMs = 2500;

export class Ledger {
  private readonly books = new Map<string, Books>();
  private readonly holdings = new Map<string, Holding>();
  /** Released so lately that a reading may still have their memory, and until when. */
  private readonly departed = new Map<string, { holding: Holding; untilMs: number }>();

  /** @param now milliseconds of any clock that does not jump */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * Takes in a new reading. Memory counts as used by others when no holding explains it.
   * @param reserveBytes kept free by a setting
   */
  read(device: Device, reserveBytes: number): void {
    const before = this.books.get(device.id)?.usedByOthersBytes;
    const own = this.ownUse(device);
    const most = Math.max(0, device.reading.usedBytes - own.leastBytes);
    const least = Math.max(0, device.reading.usedBytes - own.mostBytes);
    // An instance that loads has taken an unknown part of its promise, where the device does not tell it apart: the
    // others are then taken to use what they used before, as far as the reading allows.
    const usedByOthersBytes = Math.min(most, Math.max(least, before ?? most));
    this.books.set(device.id, { device, reserveBytes, usedByOthersBytes });
  }

  /** What the holdings on a device use of its last reading, between the two. */
  private ownUse({ id, reading }: Device): { leastBytes: number; mostBytes: number } {
    const used = new Map(reading.processes.map(({ pid, usedBytes }) => [pid, usedBytes]));
    const own = { leastBytes: 0, mostBytes: 0 };
    for (const holding of this.on(id)) {
      // 0 stands for "the driver does not tell".
      const told = (holding.pid !== undefined && used.get(holding.pid)) || undefined;
      holding.bytes = Math.max(holding.bytes, told ?? 0);
      own.leastBytes += told ?? (holding.state === 'loaded' ? holding.bytes : 0);
      own.mostBytes += told ?? holding.bytes;
    }
    for (const { bytes, pid } of this.departedFrom(id)) {
      const told = (pid !== undefined && used.get(pid)) || undefined;
      own.leastBytes += told ?? 0;
      own.mostBytes += told ?? bytes;
    }
    return own;
  }

  private departedFrom(deviceId: string): Holding[] {
    for (const [id, { untilMs }] of this.departed) {
      if (untilMs <= this.now()) this.departed.delete(id);
    }
    return [...this.departed.values()].map(({ holding }) => holding).filter((each) => each.deviceId === deviceId);
  }

  /**
   * Promises memory to an instance before it is loaded. The promise counts at once.
   * @throws AppError conflict for an id that holds memory already; unavailable when there is not enough; not_found
   */
  reserve(id: string, deviceId: string, bytes: number): Holding {
    if (this.holdings.has(id)) throw new AppError('conflict', `Instance ${id} holds memory already`);
    const { availableBytes } = this.account(deviceId);
    if (bytes > availableBytes) {
      throw new AppError(
        'unavailable',
        `${deviceId} has ${availableBytes} bytes left, ${id} needs ${bytes}`,
        'Plan again: something else took the memory in between.',
      );
    }
    const holding: Holding = { id, deviceId, bytes, state: 'loading' };
    this.holdings.set(id, holding);
    this.departed.delete(id);
    return { ...holding };
  }

  /** Names the process of an instance, so that readings tell its memory from that of others. @throws AppError not_found */
  attach(id: string, pid: number): void {
    this.get(id).pid = pid;
  }

  /**
   * The instance is loaded: the measurement replaces the promise, even when it is more.
   * @throws AppError not_found
   */
  commit(id: string, measuredBytes: number): void {
    Object.assign(this.get(id), { bytes: measuredBytes, state: 'loaded' });
  }

  /** To be called when its process has ended, not before: only then is the memory back. Unknown ids are ignored. */
  release(id: string): void {
    const holding = this.holdings.get(id);
    if (holding) this.departed.set(id, { holding, untilMs: this.now() + settleMs });
    this.holdings.delete(id);
  }

  /** @throws AppError not_found for a device that was never read */
  account(deviceId: string): Account {
    const books = this.books.get(deviceId);
    if (!books) throw new AppError('not_found', `No device ${deviceId}`, 'List the devices.');
    const { device, reserveBytes, usedByOthersBytes } = books;
    const own = this.on(deviceId);
    const pids = new Set([...own, ...this.departedFrom(deviceId)].map(({ pid }) => pid));
    const capacityBytes = device.reading.totalBytes;
    const heldBytes = own.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      deviceId,
      capacityBytes,
      usedByOthersBytes,
      others: device.reading.processes.filter(({ pid }) => !pids.has(pid)),
      heldBytes,
      reserveBytes,
      availableBytes: device.state === 'ready' ? capacityBytes - usedByOthersBytes - heldBytes - reserveBytes : 0,
    };
  }

  /** Bytes that a new instance may be promised. @throws AppError not_found */
  available(deviceId: string): number {
    return this.account(deviceId).availableBytes;
  }

  find(id: string): Holding | undefined {
    const holding = this.holdings.get(id);
    return holding && { ...holding };
  }

  private get(id: string): Holding {
    const holding = this.holdings.get(id);
    if (!holding) throw new AppError('not_found', `Instance ${id} holds no memory`, 'Reserve it first.');
    return holding;
  }

  private on(deviceId: string): Holding[] {
    return [...this.holdings.values()].filter((holding) => holding.deviceId === deviceId);
  }
}

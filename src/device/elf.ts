// Reads what the dynamic loader needs to know of an ELF shared library: machine, needed libraries, search paths. The file
// is untrusted: every offset is checked, sizes are capped, and nothing is loaded.
import { type FileHandle, open } from 'node:fs/promises';

import { AppError } from '../error.ts';

export interface ElfFacts {
  /** e_machine: 62 is x86-64, 183 is AArch64. */
  machine: number;
  soname?: string;
  /** DT_NEEDED in order. */
  needed: string[];
  /** Folders of DT_RPATH and DT_RUNPATH as written, "$ORIGIN" included. */
  rpath: string[];
  runpath: string[];
}

export const hostMachine = process.arch === 'arm64' ? 183 : 62;

const headerBytes = 64;
const segmentBytes = 56;
const mostSegments = 1024;
const mostDynamicBytes = 1024 * 1024;
const mostStringBytes = 64 * 1024 * 1024;
const segmentLoad = 1;
const segmentDynamic = 2;
const tag = { end: 0, needed: 1, strings: 5, stringBytes: 10, soname: 14, rpath: 15, runpath: 29 };

interface Segment {
  type: number;
  offset: number;
  address: number;
  fileBytes: number;
}

/** @throws AppError invalid when it is not a well-formed 64-bit little-endian ELF file */
export async function readElf(path: string): Promise<ElfFacts> {
  const file = await open(path, 'r');
  try {
    return await parse(file);
  } finally {
    await file.close();
  }
}

function broken(what: string): never {
  throw new AppError('invalid', `Not a usable ELF file: ${what}.`, 'Take a shared library built for 64-bit Linux.');
}

/** Exactly `length` bytes at `offset`, or an error. */
async function readAt(file: FileHandle, offset: number, length: number, what: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = Number.isSafeInteger(offset) ? await file.read(bytes, 0, length, offset) : { bytesRead: 0 };
  return bytesRead === length ? bytes : broken(`${what} lies outside the file`);
}

async function parse(file: FileHandle): Promise<ElfFacts> {
  const header = await readAt(file, 0, headerBytes, 'the header');
  if (header.readUInt32BE(0) !== 0x7f454c46) broken('it does not begin with the ELF mark');
  if (header[4] !== 2 || header[5] !== 1) broken('it is not 64-bit little-endian');
  const machine = header.readUInt16LE(18);
  const segments = await readSegments(file, header);
  const dynamic = segments.find(({ type }) => type === segmentDynamic);
  if (!dynamic) return { machine, needed: [], rpath: [], runpath: [] };
  if (dynamic.fileBytes > mostDynamicBytes) broken('its dynamic section is too large');

  const entries = readDynamic(await readAt(file, dynamic.offset, dynamic.fileBytes, 'the dynamic section'));
  const valueOf = (wanted: number) => entries.find(([name]) => name === wanted)?.[1];
  const strings = await readStrings(file, segments, valueOf(tag.strings), valueOf(tag.stringBytes));
  const textsOf = (wanted: number) => entries.filter(([name]) => name === wanted).map(([, at]) => textAt(strings, at));
  const foldersOf = (wanted: number) =>
    textsOf(wanted).flatMap((text) => text.split(':').filter((part) => part !== ''));
  return {
    machine,
    soname: textsOf(tag.soname)[0],
    needed: textsOf(tag.needed),
    rpath: foldersOf(tag.rpath),
    runpath: foldersOf(tag.runpath),
  };
}

async function readSegments(file: FileHandle, header: Buffer): Promise<Segment[]> {
  const offset = Number(header.readBigUInt64LE(32));
  const count = header.readUInt16LE(56);
  if (count > mostSegments || (count > 0 && header.readUInt16LE(54) !== segmentBytes))
    broken('its segments are not valid');
  const table = await readAt(file, offset, count * segmentBytes, 'the segment table');
  return Array.from({ length: count }, (_, index) => {
    const at = index * segmentBytes;
    return {
      type: table.readUInt32LE(at),
      offset: Number(table.readBigUInt64LE(at + 8)),
      address: Number(table.readBigUInt64LE(at + 16)),
      fileBytes: Number(table.readBigUInt64LE(at + 32)),
    };
  });
}

function readDynamic(section: Buffer): [tag: number, value: number][] {
  const entries: [number, number][] = [];
  for (let at = 0; at + 16 <= section.length; at += 16) {
    const name = Number(section.readBigUInt64LE(at));
    if (name === tag.end) break;
    entries.push([name, Number(section.readBigUInt64LE(at + 8))]);
  }
  return entries;
}

/** @param address in memory, which the loadable segments turn into a place in the file */
async function readStrings(file: FileHandle, segments: Segment[], address?: number, bytes = 0): Promise<Buffer> {
  if (address === undefined) return Buffer.alloc(0);
  const segment = segments.find(
    (part) => part.type === segmentLoad && address >= part.address && address + bytes <= part.address + part.fileBytes,
  );
  if (!segment || bytes > mostStringBytes) broken('its string table is not valid');
  return readAt(file, segment.offset + address - segment.address, bytes, 'the string table');
}

function textAt(strings: Buffer, at: number): string {
  const end = at < strings.length ? strings.indexOf(0, at) : -1;
  return end < 0 ? broken('a name lies outside the string table') : strings.toString('utf8', at, end);
}

// What is read of an ELF file: its sections and symbols (64-bit little-endian, as clang writes for BPF).
import { closeSync, openSync, readSync } from 'node:fs';
import { FairleadError } from '../model/error.ts';

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly size: number;
}

export interface Symbol {
  readonly name: string;
  readonly section: number;
  /** Offset in its section. */
  readonly offset: number;
  readonly size: number;
}

export interface Elf {
  section(name: string): Section | undefined;
  /** Of one of the sections that were to be read; undefined when there is none of that name. */
  bytes(name: string): Buffer | undefined;
  /** As far as their sections, `symbolSections`, were to be read. */
  symbols(): Symbol[];
}

export const symbolSections = ['.symtab', '.strtab'] as const;

const fileHeader = { size: 64, sections: 40, entrySize: 58, count: 60, names: 62 } as const;
const sectionHeader = { name: 0, type: 4, offset: 24, size: 32 } as const;
const symbolSize = 24;
const noBits = 8;

/** An object is megabytes of code and of what debuggers want: `wanted` are the sections whose bytes are read. */
export function readElf(path: string, wanted: readonly string[]): Elf {
  const fd = openSync(path, 'r');
  try {
    const header = readAt(fd, 0, fileHeader.size);
    if (header.length < fileHeader.size || header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1)
      throw new FairleadError('bad-input', `${path}: expected a 64-bit little-endian ELF object`);
    const sections = new Map(readSections(fd, header).map((one) => [one.name, one]));
    const read = new Map(
      wanted.flatMap((name) => {
        const section = sections.get(name);
        return section === undefined ? [] : [[name, readAt(fd, section.at, section.size)] as const];
      }),
    );
    return {
      section: (name) => sections.get(name),
      bytes: (name) => read.get(name),
      symbols: () => toSymbols(read.get('.symtab'), read.get('.strtab')),
    };
  } finally {
    closeSync(fd);
  }
}

export function stringAt(table: Buffer, offset: number): string {
  return table.toString('latin1', offset, table.indexOf(0, offset));
}

/** What there is of so many bytes. */
function readAt(fd: number, at: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  return bytes.subarray(0, readSync(fd, bytes, 0, size, at));
}

interface PlacedSection extends Section {
  readonly at: number;
}

function readSections(fd: number, header: Buffer): PlacedSection[] {
  const entrySize = header.readUInt16LE(fileHeader.entrySize);
  const table = readAt(
    fd,
    Number(header.readBigUInt64LE(fileHeader.sections)),
    entrySize * header.readUInt16LE(fileHeader.count),
  );
  const entries = Array.from({ length: table.length / entrySize }, (_, index) => {
    const entry = table.subarray(index * entrySize);
    return {
      name: entry.readUInt32LE(sectionHeader.name),
      at: Number(entry.readBigUInt64LE(sectionHeader.offset)),
      size: entry.readUInt32LE(sectionHeader.type) === noBits ? 0 : Number(entry.readBigUInt64LE(sectionHeader.size)),
    };
  });
  const ofNames = entries[header.readUInt16LE(fileHeader.names)];
  const names = ofNames === undefined ? Buffer.alloc(1) : readAt(fd, ofNames.at, ofNames.size);
  return entries.map(({ name, at, size }, index) => ({ index, name: stringAt(names, name), at, size }));
}

function toSymbols(table: Buffer | undefined, names: Buffer | undefined): Symbol[] {
  if (table === undefined || names === undefined) return [];
  return Array.from({ length: table.length / symbolSize }, (_, index) => {
    const symbol = table.subarray(index * symbolSize);
    return {
      name: stringAt(names, symbol.readUInt32LE(0)),
      section: symbol.readUInt16LE(6),
      offset: Number(symbol.readBigUInt64LE(8)),
      size: Number(symbol.readBigUInt64LE(16)),
    };
  });
}

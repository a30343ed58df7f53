// What is read of an ELF file: its sections and symbols (64-bit little-endian, as clang writes for BPF).
import { readFileSync } from 'node:fs';
import { FairleadError } from '../model/error.ts';

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly bytes: Buffer;
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
  symbols(): Symbol[];
}

const sectionHeader = { name: 0, offset: 24, size: 32 } as const;
const symbolSize = 24;
const noBits = 8;

export function readElf(path: string): Elf {
  const file = readFileSync(path);
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) {
    throw new FairleadError('bad-input', `${path}: expected a 64-bit little-endian ELF object`);
  }
  const sections = readSections(file);
  const section = (name: string): Section | undefined => sections.find((one) => one.name === name);
  return { section, symbols: () => readSymbols(section('.symtab')?.bytes, section('.strtab')?.bytes) };
}

export function stringAt(table: Buffer, offset: number): string {
  return table.toString('latin1', offset, table.indexOf(0, offset));
}

function readSections(file: Buffer): Section[] {
  const start = Number(file.readBigUInt64LE(40));
  const entrySize = file.readUInt16LE(58);
  const count = file.readUInt16LE(60);
  const headers = Array.from({ length: count }, (_, index) =>
    file.subarray(start + index * entrySize, start + (index + 1) * entrySize),
  );
  const contents = headers.map((header) => {
    const offset = Number(header.readBigUInt64LE(sectionHeader.offset));
    const size = header.readUInt32LE(4) === noBits ? 0 : Number(header.readBigUInt64LE(sectionHeader.size));
    return file.subarray(offset, offset + size);
  });
  const names = contents[file.readUInt16LE(62)] ?? Buffer.alloc(1);
  return headers.map((header, index) => ({
    index,
    name: stringAt(names, header.readUInt32LE(sectionHeader.name)),
    bytes: contents[index] ?? Buffer.alloc(0),
  }));
}

function readSymbols(table: Buffer | undefined, names: Buffer | undefined): Symbol[] {
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

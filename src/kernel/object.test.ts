// Loading an object and running its programs: constants, reuse, refusals, one test run of each program type.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { compile } from '../../test/kernel/compile.ts';
import { readLayouts } from './btf.ts';
import { jiffiesPerSecond, lowJiffies } from './clock.ts';
import { decode, encode, encodeInto } from './codec.ts';
import { KernelError } from './errno.ts';
import { BpfMap, mapType } from './map.ts';
import { BpfObject } from './object.ts';
import { BpfProgram, programType } from './program.ts';

const sample = compile(source('sample'));
const refused = compile(source('refused'));
const layouts = readLayouts(sample.path);
const request = layouts.struct('request');
const frame = Buffer.alloc(64, 0xee);
const xdpTx = 3;

let object: BpfObject;

beforeEach(() => {
  object = BpfObject.open(sample.path);
  onTestFinished(() => object[Symbol.dispose]());
});

afterAll(() => {
  sample[Symbol.dispose]();
  refused[Symbol.dispose]();
});

describe('opening', () => {
  test('tells the names of maps and programs', () => {
    expect(object.mapNames()).toEqual(expect.arrayContaining(['outers', 'runs', 'tables']));
    expect(object.programNames()).toEqual(['on_xdp', 'on_xdp_too', 'on_tc', 'on_tc_too', 'on_syscall']);
  });

  test('a file that is not there is an error with its name', () => {
    expect(() => BpfObject.open('/nonexistent.o')).toThrow(/\/nonexistent\.o: no such file or directory \(ENOENT\)/);
  });

  test('a map or program that the object has not is an error with its name', () => {
    expect(() => object.setMaxEntries('absent', 1)).toThrow(/absent in .*sample\.bpf\.o/);
    expect(() => object.program('absent')).toThrow(/absent in .*sample\.bpf\.o/);
  });
});

describe('constants', () => {
  test('are those that the source gives until they are set', () => {
    const constants = layouts.variables('.rodata');
    expect(decode(constants, object.constants())).toEqual({ first: 1, config: { answer: 42, seed: 7n } });
  });

  test('that are set are what the programs see, and tables of the compiler stay whole', () => {
    const bytes = object.constants();
    encodeInto(layouts.variables('.rodata'), { first: 100, config: { answer: 0x77 } }, bytes);
    object.setConstants(bytes);
    object.load();
    using onXdp = object.program('on_xdp');
    using onSyscall = object.program('on_syscall');
    expect(onXdp.testRun({ packet: frame }).packet[0]).toBe(0x77);
    const { context } = onSyscall.testRun({ context: encode(request, { index: 5 }) });
    expect(decode(request, context)).toMatchObject({ result: 109 });
  });

  test('of another length are refused', () => {
    expect(() => object.setConstants(Buffer.alloc(3))).toThrow('.rodata: expected 24 bytes, got 3');
  });
});

describe('loading', () => {
  test('a program that the verifier refuses gives an error with its last words', () => {
    using bad = BpfObject.open(refused.path);
    const error = thrown(() => bad.load());
    expect(error).toBeInstanceOf(KernelError);
    expect(error).toMatchObject({ code: 'kernel', call: 'bpf_object__load', errnoName: 'EACCES', errno: 13 });
    expect(error.message).toContain("prog 'reads_too_far'");
    expect(error.message).toContain('invalid access to packet');
  });

  test('a program that is not wanted is not loaded', () => {
    using bad = BpfObject.open(refused.path);
    bad.setAutoload('reads_too_far', false);
    bad.load();
    expect(() => bad.program('reads_too_far')).toThrow(KernelError);
  });

  test('maps can be larger than in the source, and be shared with another object', () => {
    object.setMaxEntries('outers', 100);
    object.load();
    using outers = object.map('outers');
    expect(outers.info.maxEntries).toBe(100);
    outers.update(u32(0), Buffer.alloc(outers.valueBytes));

    using second = BpfObject.open(sample.path);
    second.setMaxEntries('outers', 100);
    second.reuse('outers', outers);
    second.load();
    using same = second.map('outers');
    using program = second.program('on_syscall');
    expect(same.info.id).toBe(outers.info.id);
    expect(program.testRun({ context: Buffer.alloc(request.size) }).returnValue).toBe(1);
  });

  test('handles outlive the object', () => {
    object.load();
    using runs = object.map('runs');
    using program = object.program('on_xdp');
    object[Symbol.dispose]();
    expect(program.testRun({ packet: frame, repeat: 3 }).returnValue).toBe(xdpTx);
    expect(runs.lookup(u32(0))?.readBigUInt64LE()).toBe(3n);
  });

  test('a map of maps takes maps made later, and gives programs the one that is there', () => {
    object.load();
    using tables = object.map('tables');
    using inner = BpfMap.create({ type: mapType.array, name: 'inner', keySize: 4, valueSize: 4, maxEntries: 4 });
    inner.update(u32(0), u32(4711));
    tables.update(u32(0), u32(inner.fd));
    using program = object.program('on_syscall');
    const { context } = program.testRun({ context: Buffer.alloc(request.size) });
    expect(decode(request, context)).toMatchObject({ result: 4711 });
  });
});

describe('a test run', () => {
  beforeEach(() => object.load());

  test('of an xdp program gives its verdict and the packet as it left it', () => {
    using program = object.program('on_xdp');
    const result = program.testRun({ packet: frame, repeat: 100 });
    expect(result.returnValue).toBe(xdpTx);
    expect(result.packet).toEqual(Buffer.concat([Buffer.from([42]), frame.subarray(1)]));
    expect(result.durationNs).toBeGreaterThanOrEqual(0);
    expect(frame[0]).toBe(0xee);
  });

  test('of a tc program gives its context as it left it', () => {
    using program = object.program('on_tc');
    const context = Buffer.alloc(192);
    const mark = 8;
    context.writeUInt32LE(6, mark);
    const result = program.testRun({ packet: frame, context });
    expect(result).toMatchObject({ returnValue: 0, packet: frame });
    expect(result.context.readUInt32LE(mark)).toBe(7);
  });

  test('of a syscall program gives its context as it left it, and signed results', () => {
    using program = object.program('on_syscall');
    const run = () => program.testRun({ context: Buffer.alloc(request.size) });
    const before = decode<{ jiffies: bigint }>(request, run().context).jiffies;
    using variables = object.map(object.mapNames().find((name) => name.endsWith('.bss')) ?? '');
    const bss = Buffer.alloc(variables.valueBytes);
    bss.writeInt32LE(layouts.enum('signed_colour').get('COLOUR_SOME') ?? 0);
    variables.update(u32(0), bss);
    const after = run();
    expect(after.returnValue).toBe(-1);
    expect(decode<{ jiffies: bigint }>(request, after.context).jiffies).toBeGreaterThanOrEqual(before);
  });

  test('that the kernel refuses says so', () => {
    using program = object.program('on_xdp');
    expect(() => program.testRun({ packet: Buffer.alloc(1) })).toThrow(/bpf_prog_test_run_opts: .*\(EINVAL\)/);
  });
});

test('a program tells what it is, by its handle, its pin and its id', () => {
  object.load();
  using program = object.program('on_tc');
  const info = program.info();
  expect(info).toMatchObject({
    name: 'on_tc',
    type: programType.schedCls,
    tag: expect.stringMatching(/^[0-9a-f]{16}$/),
  });
  expect(info.verifiedInstructions).toBeGreaterThan(5);
  using again = BpfProgram.openById(info.id);
  expect(again?.info()).toEqual(info);
  expect(BpfProgram.openById(0x7fff_ffff)).toBeUndefined();
});

test('jiffies run as fast as the clock tells, and started 300 s before they overflow 32 bits', () => {
  object.load();
  using program = object.program('on_syscall');
  const { context } = program.testRun({ context: Buffer.alloc(request.size) });
  const { jiffies } = decode<{ jiffies: bigint }>(request, context);
  const uptimeS = Number(process.hrtime.bigint()) / 1e9;
  expect(Number(jiffies - 2n ** 32n) / jiffiesPerSecond() + 300 - uptimeS).toBeCloseTo(0, -1);
  expect(lowJiffies(jiffies)).toBe(Number(jiffies & 0xffff_ffffn));
});

function thrown(work: () => void): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error');
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function source(name: string): string {
  return fileURLToPath(new URL(`testdata/${name}.bpf.c`, import.meta.url));
}

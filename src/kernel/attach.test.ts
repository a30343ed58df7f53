// XDP and TC attachments on a veth: attach, replace, ask, detach, and nothing left behind.
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { compile } from '../../test/kernel/compile.ts';
import { type TestNamespace, testNamespace } from '../../test/kernel/namespace.ts';
import { interfaces } from './interfaces.ts';
import { BpfLink, queryXdp, type XdpMode } from './link.ts';
import { BpfObject } from './object.ts';
import { ensureBpffs } from './pinning.ts';
import { BpfProgram } from './program.ts';
import { attachTc, detachTc, listTc, queryTc, removeUnusedClsact, type TcSlot } from './tc.ts';

const anyPacket = ['u32', 'match', 'u8', '0', '0', 'flowid', '1:1'];
const absent = 0x7fff_fff0;
let object: BpfObject;
let namespace: TestNamespace;
let ifindex: number;

beforeAll(() => {
  using sample = compile(fileURLToPath(new URL('testdata/sample.bpf.c', import.meta.url)));
  object = BpfObject.open(sample.path);
  object.load();
});

afterAll(() => object[Symbol.dispose]());

beforeEach(() => {
  namespace = testNamespace();
  onTestFinished(() => namespace[Symbol.dispose]());
  ifindex = namespace.run(() => interfaces().find(({ name }) => name === 'v0')?.index ?? 0);
});

describe.each(['native', 'generic'] as const)('XDP, %s', (mode: XdpMode) => {
  test('is attached until the last handle is closed', async () => {
    using program = object.program('on_xdp');
    const link = namespace.run(() => BpfLink.attachXdp({ ifindex, program, mode }));
    const programId = program.info().id;
    expect(namespace.run(() => queryXdp(ifindex))).toEqual({ programId, mode });
    expect(namespace.run(() => interfaces().find(({ index }) => index === ifindex)?.xdpProgram)).toBe(programId);
    expect(link.info()).toMatchObject({ programId, ifindex });
    link[Symbol.dispose]();
    await vi.waitFor(() => expect(namespace.run(() => queryXdp(ifindex))).toBeUndefined());
  });

  test('gives way to nobody, and says who is there', () => {
    using program = object.program('on_xdp');
    using other = object.program('on_xdp_too');
    using _link = namespace.run(() => BpfLink.attachXdp({ ifindex, program, mode }));
    const attach = () => namespace.run(() => BpfLink.attachXdp({ ifindex, program: other, mode }));
    expect(attach).toThrow(
      expect.objectContaining({
        code: 'hook-busy',
        message: expect.stringMatching(/interface v0 has program \d+ \(on_xdp\)/),
      }),
    );
  });
});

describe('an XDP link', () => {
  test('changes its program, and can be detached by whoever has it', () => {
    using program = object.program('on_xdp');
    using other = object.program('on_xdp_too');
    using link = namespace.run(() => BpfLink.attachXdp({ ifindex, program, mode: 'native' }));
    link.update(other);
    expect(namespace.run(() => queryXdp(ifindex)?.programId)).toBe(other.info().id);
    link.detach();
    expect(link.info().ifindex).toBeUndefined();
    expect(namespace.run(() => queryXdp(ifindex))).toBeUndefined();
  });

  test('stays when it is pinned, and is severed when its interface goes', async () => {
    const path = `${pinDirectory()}/link`;
    attachPinned(path);
    expect(namespace.run(() => queryXdp(ifindex)?.mode)).toBe('native');
    using link = BpfLink.openPinned(path);
    expect(link?.info().ifindex).toBe(ifindex);
    namespace.ip('link', 'del', 'v0');
    await vi.waitFor(() => expect(link?.info().ifindex).toBeUndefined());
    expect(BpfLink.openPinned(`${path}-absent`)).toBeUndefined();
  });

  test('of an interface that is not there is refused', () => {
    using program = object.program('on_xdp');
    const attach = () => BpfLink.attachXdp({ ifindex: absent, program, mode: 'native' });
    expect(attach).toThrow(expect.objectContaining({ code: 'interface-missing' }));
  });
});

describe.each(['ingress', 'egress'] as const)('TC %s', (point) => {
  const slot = (): TcSlot => ({ ifindex, point, priority: 3, handle: 7 });

  test('attaches, replaces and detaches, and takes its own qdisc away', () => {
    using program = object.program('on_tc');
    using other = object.program('on_tc_too');
    namespace.run(() => {
      expect(queryTc(slot())).toBeUndefined();
      expect(attachTc(slot(), program)).toEqual({ createdQdisc: true });
      expect(queryTc(slot())).toBe(program.info().id);
      expect(attachTc(slot(), other, { replace: true })).toEqual({ createdQdisc: false });
      expect(listTc(ifindex, point)).toMatchObject([
        {
          priority: 3,
          handle: 7,
          kind: 'bpf',
          programId: other.info().id,
          programName: expect.stringContaining('on_tc_too'),
        },
      ]);
      expect(detachTc(slot(), { removeQdisc: true })).toEqual({ detached: true, removedQdisc: true });
      expect(detachTc(slot(), { removeQdisc: true })).toEqual({ detached: false, removedQdisc: false });
    });
    expect(namespace.output('tc', 'qdisc', 'show', 'dev', 'v0')).not.toContain('clsact');
  });

  test('leaves the qdisc to others who have filters in it, and to whoever made it', () => {
    using program = object.program('on_tc');
    namespace.output('tc', 'qdisc', 'add', 'dev', 'v0', 'clsact');
    namespace.output(...['tc', 'filter', 'add', 'dev', 'v0', 'egress', 'pref', '9', 'protocol', 'all', ...anyPacket]);
    namespace.run(() => {
      expect(attachTc(slot(), program)).toEqual({ createdQdisc: false });
      expect(detachTc(slot(), { removeQdisc: true })).toEqual({ detached: true, removedQdisc: false });
      expect(listTc(ifindex, 'egress').map(({ kind }) => kind)).toContain('u32');
    });
    namespace.output('tc', 'filter', 'del', 'dev', 'v0', 'egress', 'pref', '9');
    namespace.run(() => {
      expect(detachTc(slot())).toEqual({ detached: false, removedQdisc: false });
      expect(removeUnusedClsact(ifindex)).toBe(true);
      expect(removeUnusedClsact(ifindex)).toBe(false);
    });
  });

  test('does not take a slot from another program unless told to', () => {
    using program = object.program('on_tc');
    using other = object.program('on_tc_too');
    namespace.run(() => {
      attachTc(slot(), program);
      expect(() => attachTc(slot(), other)).toThrow(
        expect.objectContaining({ code: 'hook-busy', message: expect.stringContaining('bpf on_tc') }),
      );
      expect(queryTc(slot())).toBe(program.info().id);
    });
  });

  test('refuses a priority that another kind of filter has, and leaves no qdisc behind that it made', () => {
    using program = object.program('on_tc');
    using xdp = object.program('on_xdp');
    expect(() => namespace.run(() => attachTc(slot(), xdp))).toThrow();
    expect(namespace.output('tc', 'qdisc', 'show', 'dev', 'v0')).not.toContain('clsact');
    namespace.output('tc', 'qdisc', 'add', 'dev', 'v0', 'clsact');
    namespace.output(...['tc', 'filter', 'add', 'dev', 'v0', point, 'pref', '3', 'protocol', 'all', ...anyPacket]);
    const attach = () => namespace.run(() => attachTc(slot(), program, { replace: true }));
    expect(attach).toThrow(expect.objectContaining({ code: 'hook-busy', message: expect.stringContaining('u32') }));
  });

  test('refuses an interface whose ingress qdisc is no clsact, and one that is not there', () => {
    using program = object.program('on_tc');
    namespace.output('tc', 'qdisc', 'add', 'dev', 'v0', 'ingress');
    expect(() => namespace.run(() => attachTc(slot(), program))).toThrow(
      expect.objectContaining({ code: 'hook-busy', message: expect.stringContaining('has the qdisc ingress') }),
    );
    expect(() => attachTc({ ...slot(), ifindex: absent }, program)).toThrow(
      expect.objectContaining({ code: 'interface-missing' }),
    );
  });
});

test('programs are gone from the kernel when nothing refers to them', async () => {
  using sample = compile(fileURLToPath(new URL('testdata/sample.bpf.c', import.meta.url)));
  const id = namespace.run(() => {
    using mine = BpfObject.open(sample.path);
    mine.load();
    using program = mine.program('on_tc');
    const slot: TcSlot = { ifindex, point: 'ingress', priority: 1, handle: 1 };
    attachTc(slot, program);
    detachTc(slot, { removeQdisc: true });
    return program.info().id;
  });
  await vi.waitFor(() => {
    using left = BpfProgram.openById(id);
    expect(left).toBeUndefined();
  });
});

function attachPinned(path: string): void {
  using program = object.program('on_xdp');
  using link = namespace.run(() => BpfLink.attachXdp({ ifindex, program, mode: 'native' }));
  link.pin(path);
}

function pinDirectory(): string {
  const directory = `${ensureBpffs('/run/fairlead/bpf')}/test-${process.pid}-${randomBytes(3).toString('hex')}`;
  mkdirSync(directory);
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

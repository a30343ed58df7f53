// What is the caller's network namespace's own: cookie, life, interfaces, sysctls.
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type TestNamespace, testNamespace } from '../../test/kernel/namespace.ts';
import { interfaceName, interfaces, requireInterface } from './interfaces.ts';
import { createNetnsSentinel, isNetnsAlive, netnsCookie, withNetns } from './namespace.ts';
import { readSysctl, writeSysctl } from './sysctl.ts';

let namespace: TestNamespace;
let isDeleted: boolean;

beforeEach(() => {
  namespace = testNamespace();
  isDeleted = false;
  onTestFinished(() => {
    if (!isDeleted) namespace[Symbol.dispose]();
  });
});

test('a namespace has a cookie of its own', () => {
  const outside = netnsCookie();
  const inside = namespace.run(netnsCookie);
  expect(inside).not.toBe(outside);
  expect(namespace.run(netnsCookie)).toBe(inside);
  expect(netnsCookie()).toBe(outside);
});

test('work in another namespace that throws comes home', () => {
  const home = netnsCookie();
  expect(() =>
    namespace.run(() => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(() => withNetns('/run/netns/absent-for-sure', () => 0)).toThrow(/ENOENT/);
  expect(netnsCookie()).toBe(home);
});

test('a sentinel tells from anywhere whether its namespace lives', async () => {
  using sentinel = namespace.run(() => createNetnsSentinel('alive'));
  expect(isNetnsAlive(sentinel)).toBe(true);
  isDeleted = true;
  namespace[Symbol.dispose]();
  await vi.waitFor(() => expect(isNetnsAlive(sentinel)).toBe(false), { timeout: 20_000 });
});

describe('interfaces', () => {
  test('are listed with what they are, and only those of the namespace', () => {
    namespace.ip('link', 'add', 'br0', 'type', 'bridge');
    namespace.ip('link', 'set', 'v1', 'master', 'br0', 'up');
    namespace.ip('link', 'set', 'v0', 'address', '02:00:00:00:00:07', 'mtu', '1400', 'up');
    const all = namespace.run(interfaces);
    const found = (name: string) => all.find((one) => one.name === name);
    expect(all.map(({ name }) => name).sort()).toEqual(expect.arrayContaining(['br0', 'lo', 'v0', 'v1']));
    expect(all.map(({ name }) => name)).not.toContain('eth0');
    expect(found('lo')).toMatchObject({ index: 1, kind: undefined, linkType: 'loopback', isUp: false });
    expect(found('v0')).toEqual({
      index: expect.any(Number),
      name: 'v0',
      kind: 'veth',
      linkType: 'ether',
      mac: '02:00:00:00:00:07',
      mtu: 1400,
      isUp: true,
      isRunning: true,
      master: undefined,
      link: found('v1')?.index,
      driver: 'veth',
      xdpProgram: undefined,
    });
    expect(found('v1')).toMatchObject({ master: found('br0')?.index, mtu: 1500 });
    expect(found('br0')).toMatchObject({ kind: 'bridge', driver: 'bridge' });
  });

  test('have names, and an index that nobody has is refused', () => {
    expect(interfaceName(1)).toBe('lo');
    expect(interfaceName(0x7fff_fff0)).toBe('2147483632');
    expect(() => requireInterface(1)).not.toThrow();
    expect(() => requireInterface(0x7fff_fff0)).toThrow(expect.objectContaining({ code: 'interface-missing' }));
  });
});

describe('sysctls', () => {
  test("of the network are the namespace's own", () => {
    const outside = readSysctl('net.ipv4.ip_forward');
    namespace.run(() => {
      writeSysctl('net.ipv4.ip_forward', 1);
      expect(readSysctl('net.ipv4.ip_forward')).toBe('1');
      writeSysctl('net.ipv4.ip_forward', 0);
      expect(readSysctl('net.ipv4.ip_forward')).toBe('0');
    });
    expect(readSysctl('net.ipv4.ip_forward')).toBe(outside);
  });

  test('of an interface with dots in its name are written with slashes', () => {
    namespace.ip('link', 'set', 'v0', 'name', 'v0.5');
    expect(namespace.run(() => readSysctl('net/ipv4/conf/v0.5/forwarding'))).toMatch(/^[01]$/);
  });

  test('that are not there, and values that are refused, are errors with the name', () => {
    expect(() => readSysctl('net.absent')).toThrow(/read sysctl net\.absent: .*\(ENOENT\)/);
    expect(() => writeSysctl('net.absent', 1)).toThrow(/write sysctl net\.absent: .*\(ENOENT\)/);
    const write = () => namespace.run(() => writeSysctl('net.ipv4.ip_forward', 'maybe'));
    expect(write).toThrow(/write sysctl net\.ipv4\.ip_forward: .*\(EINVAL\)/);
  });
});
